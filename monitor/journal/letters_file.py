"""Dead letters sent again without a broker: to a file that can be replayed, backfilled or served."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol

from monitor.errors import InputError
from monitor.model.letter import Letter


class Marked(Protocol):
    """A place that remembers what was sent."""

    def mark(self, sent: Mapping[str, str], now_us: int) -> None:
        """Keep that letters were sent, by key as what."""


class FileOutlet:
    """Writes the payloads as lines; then the letters are marked where they are kept.

    A run that dies in between leaves the file and no marks. The next one refuses a file that is there,
    so that nobody gets the same letters twice without noticing.

    Args:
        path: of the file, which must not be there.
        kept: where the letters come from.
    """

    def __init__(self, path: Path, kept: Marked) -> None:
        self.target = str(path)
        self._path = path
        self._kept = kept
        self._file: IO[bytes] | None = None
        self._whole = False

    def refuses(self, letter: Letter) -> str | None:
        """A line cannot hold the end of one."""
        return "a line end is in it" if b"\n" in letter.payload else None

    @contextlib.contextmanager
    def begin(self) -> Iterator[None]:
        """Make the file; it goes again where it did not become whole."""
        try:
            self._file = self._path.open("xb")
        except FileExistsError as error:
            message = f"--out {self._path}: is there already; name a file that is not"
            raise InputError(message) from error
        except OSError as error:
            message = (
                f"--out {self._path}: {error.strerror}: name a file in a folder that is there and "
                "can be written to"
            )
            raise InputError(message) from error
        try:
            yield
        finally:
            self._file.close()
            if not self._whole:
                self._path.unlink(missing_ok=True)

    def send(self, letters: Iterable[Letter], now_us: int) -> int:
        """Write them, in order, and mark them."""
        assert self._file is not None, "send() outside of begin()"  # noqa: S101
        sent: dict[str, str] = {}
        for number, letter in enumerate(letters, 1):
            self._file.write(letter.payload + b"\n")
            sent[letter.key] = f"{self._path}|{number}"
        self._file.flush()
        self._whole = bool(sent)
        self._kept.mark(sent, now_us)
        return len(sent)
