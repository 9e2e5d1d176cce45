"""The files of deploy/, as the tests read them."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SECRETS = {"MONITOR_TOKEN": "token", "MONITOR_HASH_KEY": "key", "GRAFANA_PASSWORD": "password"}


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def services() -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = compose()["services"]
    return made


def mounts(service: str) -> list[tuple[Path, str]]:
    """Files and folders of the repository, and where the container sees them."""
    found = []
    for volume in services()[service].get("volumes", ()):
        source, target = volume.split(":")[:2]
        if source.startswith("."):
            found.append(((DEPLOY / source).resolve(), target))
    return found


def tool(name: str, *arguments: str | Path) -> str:
    """What a program prints; skips without it, fails where it does not succeed."""
    binary = shutil.which(name)
    if binary is None:
        if os.environ.get("MONITOR_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{name} is not installed (MONITOR_REQUIRE_SERVERS=1 forbids the skip)")
        pytest.skip(f"needs {name}")
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def laid_out(service: str, folder: Path) -> Path:
    """The container's tree of a service, from its mounts, below a folder."""
    for source, target in mounts(service):
        place = folder / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            shutil.copy(source, place)
    return folder
