"""The releases of a history: one body a line, as `POST /api/v1/releases` takes them."""

from pathlib import Path

import msgspec

from monitor.errors import ConfigError
from monitor.model.release import Release
from monitor.release.posting import read_release
from monitor.release.resolving import Told, resolve


def read_releases(path: Path) -> list[Release]:
    """The releases of a file, in the order of their starts.

    Raises:
        ConfigError: every mistake, each as `file:line: ...`.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        message = f"--releases {path}: {error.strerror}; name a file with one release a line"
        raise ConfigError(message) from error
    known: dict[str, Release] = {}
    mistakes: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            mistakes += [f"{path}:{number}: {one}" for one in _take(line, known)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return sorted(known.values(), key=lambda release: (release.started_us, release.id))


def _take(line: bytes, known: dict[str, Release]) -> list[str]:
    """Add what a line tells; what is wrong with it."""
    try:
        body = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        return [f"this is not JSON ({error}); write one object a line"]
    posted = read_release(body)
    if isinstance(posted, list):
        return posted
    times = (posted.finished_us, posted.started_us)
    told_us = next((time for time in times if time is not None), None)
    if told_us is None:
        return ["neither started_at nor finished_at is given; in a file a release needs one"]
    found = resolve(posted, known.values(), told_us)
    if found.told is Told.CONFLICT:
        return [found.detail]
    known[found.release.id] = found.release
    return []
