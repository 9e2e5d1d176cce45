#!/bin/sh
# Copies the broker's jars (about 43 MB) into a folder, once: sh fetch.sh [FOLDER]
# It works in a folder beside the target and renames it, so that a broken download leaves nothing.
set -eu
target="${1:-${XDG_CACHE_HOME:-$HOME/.cache}/metric-monitor/kafka/libs}"
if [ -d "$target" ]; then
    exit 0
fi
here="$(cd "$(dirname "$0")" && pwd)"
mkdir -p "$(dirname "$target")"
partial="$(mktemp -d "$target.XXXXXX")"
trap 'rm -rf "$partial"' EXIT
mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$partial"
mv "$partial" "$target"
