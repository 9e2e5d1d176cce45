"""Exported files on disk: each appears whole or stays as it was."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from monitor.errors import StateError

_PARTIAL = ".partial"


def write(folder: Path, texts: Mapping[PurePosixPath, str]) -> list[tuple[Path, bool]]:
    """Write files below a folder, which is made if absent.

    Returns:
        Each path, and whether its content is other than before; what is the same is not touched.

    Raises:
        StateError: one cannot be written; with the place.
    """
    done = []
    for name, text in texts.items():
        path = folder / name
        try:
            done.append((path, _replace(path, text.encode())))
        except OSError as error:
            message = f"--out {folder}: {error.filename or path}: {error.strerror}: name a folder "
            message += "that can be written to"
            raise StateError(message) from error
    return done


def _replace(path: Path, content: bytes) -> bool:
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + _PARTIAL)
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return True
