"""The dead letters of a folder that `monitor replay --out` wrote; its file is streamed, never held."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from monitor.errors import InputError, StateError
from monitor.journal.letters import decode_letter, marked
from monitor.model.letter import Letter

FILE = "dead_letters.ndjson"


class FolderLetters:
    """`dead_letters.ndjson` of a folder.

    Args:
        folder: an existing folder.

    Raises:
        InputError: it holds no such file, or one that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.place = str(self._path)
        self.dated = False  # so that the same history gives the same file
        with self._guarded(), self._path.open("rb"):
            pass

    def close(self) -> None:
        """Nothing is held."""

    def __iter__(self) -> Iterator[Letter]:
        """Every letter, in the order of the file."""
        with self._guarded(), self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.isspace():
                    continue
                try:
                    yield decode_letter(line.rstrip(b"\n"))
                except ValueError as error:
                    message = f"{self._path}:{number}: {error}; replay once more"
                    raise InputError(message) from error

    def mark(self, sent: Mapping[str, str], now_us: int) -> None:
        """Keep that letters were sent, by key as what; the file is whole at every time."""
        partial = self._path.with_name(f"{FILE}.partial")
        try:
            with partial.open("wb") as file:
                for letter in self:
                    new = sent.get(letter.key)
                    file.write(letter.body if new is None else marked(letter, now_us, new))
                    file.write(b"\n")
            partial.replace(self._path)
        except OSError as error:
            message = (
                f"{self._path}: what was sent cannot be marked in it ({error.strerror}); allow to "
                "write there"
            )
            raise StateError(message) from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = (
                f"{self._path}: {error.strerror}: name a folder that `monitor replay --out` wrote"
            )
            raise InputError(message) from error
