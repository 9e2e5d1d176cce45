"""Dead letters for a person and for a program: what is shown of a payload is cut."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor.model.letter import Letter
from monitor.model.time import SECOND, to_rfc3339

SHOWN = 200
"""Bytes of a payload that are shown."""


def letters_table(letters: Sequence[Letter], *, payload: bool) -> Table:
    """One row a letter; its payload, where asked for, under its detail."""
    table = Table(box=None, pad_edge=False)
    table.add_column("read", no_wrap=True)
    table.add_column("where", overflow="fold")
    table.add_column("reason", no_wrap=True)
    table.add_column("detail", overflow="fold")
    table.add_column("sent again", no_wrap=True)
    for letter in letters:
        told = printable(letter.detail)
        if payload:
            told += f"\n{cut(letter.payload)}"
        table.add_row(
            _second(letter.read_us),
            Text(printable(f"{letter.source}:{letter.position}")),
            Text(printable(letter.reason)),
            Text(told),
            "came back" if letter.returned else _second(letter.replayed_us),
        )
    return table


def letter_json(letter: Letter, *, payload: bool) -> dict[str, Any]:
    """What a program gets of a letter."""
    line: dict[str, Any] = {
        "source": letter.source,
        "position": letter.position,
        "reason": letter.reason,
        "detail": letter.detail,
        "bytes": len(letter.payload),
        "read_at": _instant(letter.read_us),
        "replayed_at": _instant(letter.replayed_us),
        "came_back": letter.returned,
    }
    if payload:
        line["payload"] = cut(letter.payload)
    return line


def by_reason(reasons: Mapping[str, int]) -> str:
    """Counts in words, most frequent first.

    >>> by_reason({"bad_time": 2, "not_json": 1000})
    'not_json 1,000, bad_time 2'
    """
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{printable(reason)} {count:,}" for reason, count in ranked)


def cut(payload: bytes) -> str:
    r"""The beginning of a payload, as one line of what can be printed.

    >>> cut(b'{"a":\n1}\xff')
    '{"a":\\n1}\\xff'
    """
    text = printable(payload[:SHOWN].decode(errors="backslashreplace"))
    return text if len(payload) <= SHOWN else f"{text}... ({len(payload):,} bytes)"


def printable(text: str) -> str:
    r"""The text without what a terminal would obey.

    >>> printable("a\x1b[2J")
    'a\\x1b[2J'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _instant(time_us: int | None) -> str | None:
    return None if time_us is None else to_rfc3339(time_us)


def _second(time_us: int | None) -> str:
    return "-" if time_us is None else to_rfc3339(time_us - time_us % SECOND)
