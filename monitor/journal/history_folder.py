"""The past out of a folder that `monitor replay --out` wrote; its files are streamed, never held."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from monitor.errors import InputError
from monitor.model.bucket import UNJUDGED, BucketLine
from monitor.model.past import Past
from monitor.model.tick import State
from monitor.model.time import from_rfc3339

_UNHEARD = frozenset({UNJUDGED, State.NO_DATA.label, State.PARTIAL.label, State.IMMATURE.label})
"""States that a series can have before it has learnt."""

_T = TypeVar("_T")


class _Place(msgspec.Struct, frozen=True, gc=False):
    """Which series and bucket a line is of: all that most lines are decoded for."""

    metric: str
    dimension: str
    segment: str
    start: str
    end: str
    state: str


_rows = msgspec.json.Decoder(BucketLine)
_places = msgspec.json.Decoder(_Place)
_alerts = msgspec.json.Decoder(dict[str, Any])


class FolderHistory:
    """`alerts.ndjson` and `buckets.ndjson` of a folder.

    Args:
        folder: an existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self._alerts = folder / "alerts.ndjson"
        self._buckets = folder / "buckets.ndjson"

    def close(self) -> None:
        """Nothing is held."""

    def alerts(self) -> list[dict[str, Any]]:
        """The newest line of every incident, newest change first."""
        newest: dict[str, dict[str, Any]] = {}
        for place, line in _lines(self._alerts, b""):
            alert = _decoded(_alerts, line, place)
            newest.pop(alert["alert_id"], None)  # so that its place is that of its newest change
            newest[alert["alert_id"]] = alert
        return list(reversed(newest.values()))

    def series(
        self, metric: str, dimension: str, segment: str, *, since_us: int, until_us: int | None
    ) -> Past:
        """The buckets of a series that start in [since, until)."""
        rows: dict[str, BucketLine] = {}
        first_us = last_us = learning_us = judged_us = None
        for place, line, found in self._of(metric, dimension):
            if found.segment != segment:
                continue
            start_us = from_rfc3339(found.start)
            last_us = max(last_us or start_us, from_rfc3339(found.end))
            if found.state == UNJUDGED:
                learning_us = start_us
            elif judged_us is None and learning_us is not None and found.state not in _UNHEARD:
                judged_us = start_us
            if start_us < since_us:
                continue
            first_us = start_us if first_us is None else min(first_us, start_us)
            if until_us is None or start_us < until_us:
                row = _decoded(_rows, line, place)
                if row.start not in rows or rows[row.start].revision <= row.revision:
                    rows[row.start] = row
        ordered = sorted(rows.values(), key=lambda row: from_rfc3339(row.start))
        return Past(
            rows=tuple(ordered), first_us=first_us, last_us=last_us, judged_from_us=judged_us
        )

    def segments(self, metric: str, dimension: str) -> list[str]:
        """The segments of a dimension that have lines, sorted."""
        return sorted({found.segment for _, _, found in self._of(metric, dimension)})

    def _of(self, metric: str, dimension: str) -> Iterator[tuple[str, bytes, _Place]]:
        # A line that does not even hold the name is passed over undecoded: most are.
        for place, line in _lines(self._buckets, msgspec.json.encode(metric)):
            found = _decoded(_places, line, place)
            if found.metric == metric and found.dimension == dimension:
                yield place, line, found


def _lines(path: Path, needle: bytes) -> Iterator[tuple[str, bytes]]:
    """Lines that hold the bytes, each with its `file:line`; blank ones are passed over."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if needle in line and not line.isspace():
                    yield f"{path}:{number}", line
    except OSError as error:
        message = f"{path}: {error.strerror}: name a folder that `monitor replay --out` wrote"
        raise InputError(message) from error


def _decoded(decoder: msgspec.json.Decoder[_T], line: bytes, place: str) -> _T:
    try:
        value = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{place}: is no line that a replay writes ({error}); replay once more"
        raise InputError(message) from error
    if isinstance(value, dict) and not isinstance(value.get("alert_id"), str):
        message = f"{place}: has no alert_id; replay once more"
        raise InputError(message)
    return value
