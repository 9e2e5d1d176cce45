"""A file that appears whole under its name, or not at all."""

from pathlib import Path
from types import TracebackType
from typing import IO, Self

from monitor.errors import StateError

PARTIAL = ".partial"
"""Ends the temporary name."""


class WholeFile:
    """Opened under a temporary name, so that a mistake shows before the work; renamed when `finish`ed.

    Args:
        path: the name that it will have.
        option: by which the user named it, for errors.
    """

    def __init__(self, path: Path, option: str) -> None:
        self.path = path
        self._option = option
        self._partial = Path(f"{path}{PARTIAL}")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self.path.is_dir():
            message = f"{self._option} {self.path}: is a directory; name a file in it"
            raise StateError(message)
        try:
            self._file = self._partial.open("wb")
        except OSError as error:
            message = (
                f"{self._option} {self.path}: {error.strerror}: name a file in a folder that is there "
                "and can be written to"
            )
            raise StateError(message) from error
        return self

    def finish(self, data: bytes) -> None:
        """Write it, and give it its name."""
        if self._file is None:
            return
        with self._file as file:
            file.write(data)
        self._partial.replace(self.path)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._partial.unlink(missing_ok=True)
