"""Dead letters read back: as they are kept, which of them are meant, and the mark of a sent one.

A letter that was sent again is kept once more under its own key, with the time and the key it would come
back under: the mark lives as long as the letter, wherever letters are kept, and needs no place of its own.
"""

import base64
import binascii
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from monitor.model.letter import Letter
from monitor.model.time import from_rfc3339, to_rfc3339

MARK = b'{"replayed_at":'
"""What the JSON of a letter that was sent again begins with."""


class _Line(msgspec.Struct):
    source: str
    position: int
    reason: str
    detail: str
    payload: str | None = None
    payload_base64: str | None = None
    read_at: str | None = None
    replayed_at: str | None = None
    replayed_as: str | None = None


_lines = msgspec.json.Decoder(_Line)


class Letters(Protocol):
    """A place where dead letters are kept.

    Attributes:
        place: its name, for a person.
        dated: whether it keeps when a letter was read.

    Raises:
        MonitorError: by every method, where the place cannot be read.
    """

    place: str
    dated: bool

    def close(self) -> None:
        """Release what is held."""

    def __iter__(self) -> Iterator[Letter]:
        """Every letter as it is kept now, in the order in which it came to its partition or file."""


class Outlet(Protocol):
    """Sends letters again and marks them.

    Attributes:
        target: where to, for a person.
    """

    target: str

    def refuses(self, letter: Letter) -> str | None:
        """Why this letter cannot be sent there; None where it can."""

    def begin(self) -> AbstractContextManager[object]:
        """Hold what sending needs; nobody else sends the same place's letters from here on."""

    def send(self, letters: Iterable[Letter], now_us: int) -> int:
        """Send them, in order; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which letters are meant.

    Attributes:
        reasons: one of these; empty for any.
        since_us: read then or later; None for any time.
    """

    reasons: frozenset[str] = frozenset()
    since_us: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is one of them; one that does not say when it was read is old."""
        if self.reasons and letter.reason not in self.reasons:
            return False
        return self.since_us is None or (
            letter.read_us is not None and letter.read_us >= self.since_us
        )


@dataclass(slots=True, kw_only=True)
class Tally:
    """How many letters there are.

    Attributes:
        kept: all that were looked at, whether they are meant or not.
        reasons: of those that are meant, by reason.
        replayed: of those that are meant, how many were sent again.
        returned: of those that are meant, how many came back.
    """

    kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    replayed: int = 0
    returned: int = 0

    def chosen(self, letters: Iterable[Letter], choice: Choice) -> Iterator[Letter]:
        """The letters that are meant, counted as they pass."""
        for letter in letters:
            self.kept += 1
            if choice.takes(letter):
                self.reasons[letter.reason] += 1
                self.replayed += letter.replayed_us is not None
                self.returned += letter.returned
                yield letter


def decode_letter(body: bytes) -> Letter:
    """The letter of a line of `dead_letters.ndjson` or of a record; raises `ValueError` where it is none."""
    try:
        line = _lines.decode(body)
        if line.payload_base64 is not None:
            payload = base64.b64decode(line.payload_base64, validate=True)
        else:
            payload = (line.payload or "").encode()
        return Letter(
            source=line.source,
            position=line.position,
            reason=line.reason,
            detail=line.detail,
            payload=payload,
            body=body,
            read_us=_instant(line.read_at),
            replayed_us=_instant(line.replayed_at),
            replayed_as=line.replayed_as,
        )
    except (msgspec.MsgspecError, UnicodeError, binascii.Error) as error:
        message = f"is no dead letter: {error}"
        raise ValueError(message) from error


def marked(letter: Letter, now_us: int, replayed_as: str) -> bytes:
    """The JSON of a letter that was sent again; all else that it holds stays."""
    line = msgspec.json.decode(letter.body, type=dict[str, msgspec.Raw])
    told = {"replayed_at": to_rfc3339(now_us), "replayed_as": replayed_as}
    return msgspec.json.encode({**told, **{k: v for k, v in line.items() if k not in told}})


def _instant(text: str | None) -> int | None:
    return None if text is None else from_rfc3339(text)
