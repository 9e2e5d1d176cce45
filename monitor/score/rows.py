"""Rows of CSV text: `timestamp,value[,n]` in; the same rows, judged, out."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite, isnan
from typing import Final

from msgspec import Struct

from monitor.score.scorer import Judgement

HEADER: Final = "timestamp,value,expected,lower,upper,score,alert,reason\n"
_NAMES: Final = ("timestamp", "value", "n")
_DELIMITERS: Final = ",;\t"
_ABSENT: Final = frozenset({"", "nan", "na", "n/a", "null", "none"})
_NAN: Final = float("nan")
_UNITS: Final = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6))
"""Numbers below the first are seconds, then milli- and microseconds; above, nanoseconds."""
_NANO: Final = 1e9


class Row(Struct, frozen=True, kw_only=True):
    """One line of input.

    Attributes:
        timestamp, value: text as it stood; of a value that is missing, "".
        time: seconds since the epoch; NaN where it cannot be read.
        number: the value; NaN where it is missing.
        n: units behind it; NaN where unknown.
    """

    timestamp: str
    value: str
    time: float
    number: float
    n: float


@dataclass(slots=True)
class Reader:
    """Reads lines; what cannot be read is missing, and counted.

    Attributes:
        problems: what was wrong with how many rows.
        notes: what was wrong with the file as a whole.
    """

    problems: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _places: tuple[int, int, int] | None = None
    _delimiter: str = ","
    _last: float = float("-inf")

    def read(self, line: bytes) -> Row | None:
        """One row; None for the header and for blank lines."""
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if self._places is None:
            text = text.removeprefix("\ufeff")
        if not text.strip():
            return None
        if self._places is None and self._is_header(text):
            return None
        cells = self._split(text)
        at, value_at, n_at = self._places or (0, 1, 2)
        timestamp = _cell(cells, at)
        value = _cell(cells, value_at).strip()
        number = self._number(value, "a value that is not a number")
        n = self._number(_cell(cells, n_at).strip(), "an n that is not a number")
        return Row(
            timestamp=timestamp,
            value="" if isnan(number) else value,
            time=self._time(timestamp),
            number=number,
            n=n,
        )

    def _is_header(self, text: str) -> bool:
        """Find the columns; a first line that holds a number for a value is a row already."""
        self._delimiter = max(_DELIMITERS, key=text.count)
        names = [cell.strip().lower() for cell in self._split(text)]
        if "value" in names:
            at, value_at, n_at = (names.index(n) if n in names else -1 for n in _NAMES)
            if at < 0:
                self.notes.append("there is no column `timestamp`; rows are taken as evenly spaced")
            self._places = (at, value_at, n_at)
            return True
        self._places = (0, 1, 2) if len(names) > 1 else (-1, 0, -1)
        first_row = _number_of(_cell(names, self._places[1])) is not None
        what = "no header" if first_row else "no column `value` in the header"
        where = "the second column" if len(names) > 1 else "the only column"
        self.notes.append(f"there is {what}; {where} is read as the value (timestamp,value[,n])")
        return not first_row

    def _split(self, text: str) -> list[str]:
        if '"' not in text:
            return text.split(self._delimiter)
        try:
            return next(csv.reader([text], delimiter=self._delimiter))
        except csv.Error:
            return text.split(self._delimiter)

    def _number(self, text: str, problem: str) -> float:
        if text.lower() in _ABSENT:
            return _NAN
        number = _number_of(text)
        if number is None:
            self.problems[problem] += 1
            return _NAN
        return number

    def _time(self, text: str) -> float:
        time = _time_of(text.strip())
        if self._places is not None and self._places[0] < 0:
            return time
        if isnan(time):
            self.problems["a timestamp that cannot be read"] += 1
        elif time <= self._last:
            what = "repeated" if time == self._last else "earlier than one before it"
            self.problems[f"a timestamp that is {what}"] += 1
        else:
            self._last = time
        return time


def written(row: Row, judged: Judgement) -> str:
    """The line of a judged row."""
    timestamp = row.timestamp
    if any(mark in timestamp for mark in ',"\r'):
        timestamp = '"' + timestamp.replace('"', '""') + '"'
    alert = "1" if judged.alert else "0"
    return (
        f"{timestamp},{row.value},{_text(judged.expected)},{_text(judged.lower)},"
        f"{_text(judged.upper)},{judged.score!r},{alert},{judged.reason}\n"
    )


def _text(number: float) -> str:
    return f"{number:.12g}" if isfinite(number) else ""


def _cell(cells: list[str], place: int) -> str:
    return cells[place] if 0 <= place < len(cells) else ""


def _number_of(text: str) -> float | None:
    """A finite number; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and "_" not in text else None


def _time_of(text: str) -> float:
    number = _number_of(text)
    if number is not None:
        for bound, unit in _UNITS:
            if abs(number) < bound:
                return number / unit
        return number / _NANO
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _NAN
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return _NAN
