"""The dead letters of a SQLite state file, beside the service that writes it."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from monitor.errors import StateError
from monitor.journal.letters import MARK, decode_letter, marked
from monitor.journal.store import Store
from monitor.model.letter import Letter
from monitor.model.record import Record, Stream

_BATCH = 200
"""Letters marked in one transaction: the service waits for it meanwhile."""


class StateLetters:
    """The newest letters of a service, as many as its state file keeps.

    Args:
        path: an existing SQLite file.

    Raises:
        StateError: it is none of the monitor's.
    """

    def __init__(self, path: Path) -> None:
        self._store = Store(path)
        self.place = str(path)
        self.dated = True

    @property
    def is_view(self) -> bool:
        """Whether it only shows what topics hold."""
        streams = {f".{stream}|" for stream in Stream}
        return any(stream in name for name in self._store.positions() for stream in streams)

    def close(self) -> None:
        """Release the file."""
        self._store.close()

    def __iter__(self) -> Iterator[Letter]:
        """Every letter, in the order in which they were kept."""
        expected = {
            letter.replayed_as
            for _, body in self._store.each(Stream.DEAD_LETTERS)
            if body.startswith(MARK)
            for letter in (self._letter(body),)
        }
        for _, body in self._store.each(Stream.DEAD_LETTERS):
            letter = self._letter(body)
            if letter.key in expected:
                letter = msgspec.structs.replace(letter, returned=True)
            yield letter

    def mark(self, sent: Mapping[str, str], now_us: int) -> None:
        """Keep that letters were sent, by key as what."""
        records = (
            Record(
                stream=Stream.DEAD_LETTERS,
                key=letter.key,
                value=marked(letter, now_us, sent[letter.key]),
            )
            for letter in self
            if letter.key in sent
        )
        while batch := list(itertools.islice(records, _BATCH)):
            self._store.commit(batch)

    def _letter(self, body: bytes) -> Letter:
        try:
            return decode_letter(body)
        except ValueError as error:
            message = f"{self.place}: what it keeps {error}; move it away to start anew"
            raise StateError(message) from error
