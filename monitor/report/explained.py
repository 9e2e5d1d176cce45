"""An explanation on a screen: the answer, the chart, where, why, by what, and whom to ask."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from monitor.alert.text import number, odds
from monitor.model.quantity import format_duration, percent
from monitor.model.time import SECOND, from_rfc3339, to_rfc3339
from monitor.report.explanation import Alert, Explanation, Judging, long
from monitor.report.terminal import Chart

_LISTED = 12
"""Segments that are listed; the rest is counted."""
_WIDE, _NARROW = 74, 50
"""Characters of a line below which tables leave columns out."""


def explained(explanation: Explanation) -> RenderableType:
    """What a person reads, top to bottom."""
    return Group(*_blocks(explanation))


def alert_table(alerts: list[Alert]) -> Table:
    """Alerts in a table, with their ids."""
    table = _table("alert", "state", "what", "shift", "since", "ended")
    table.columns[2].overflow = "fold"
    for column in (0, 1, 4, 5):
        table.columns[column].no_wrap = True
    for alert in alerts:
        whole = alert["dimension"] == "all"
        where = "" if whole else f" ({alert['dimension']}={alert['segment']})"
        shift = alert["relative_shift"]
        table.add_row(
            alert["alert_id"],
            alert["state"],
            Text(alert["metric"] + where),
            "silent" if shift is None else percent(shift),
            _minute(alert["started_at"]),
            _minute(alert["resolved_at"]) if alert["resolved_at"] else "-",
        )
    return table


def _blocks(explanation: Explanation) -> Iterator[RenderableType]:
    yield Text(explanation.answer, style="bold")
    if explanation.buckets:
        yield Text()
        yield Chart(explanation)
    if explanation.why:
        yield _heading("Why")
        yield Text("\n".join(explanation.why))
    if explanation.alert is not None and explanation.alert["segments"]:
        yield _heading("Segments, most blamed first")
        yield Fitted(partial(_segments, explanation.alert["segments"]))
    if explanation.detail:
        yield _heading("Bucket by bucket")
        yield Fitted(partial(_detail, explanation))
    yield _heading("Judged by")
    yield _pairs(list(_judging(explanation)))
    if explanation.needed:
        yield _heading("A shift that would have been found")
        yield _pairs(list(_needed(explanation)))
    yield _heading("Around it")
    yield _pairs(list(_context(explanation)))


def _heading(text: str) -> Text:
    return Text.assemble("\n", (text, "bold underline"))


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    return table


def _pairs(rows: list[tuple[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table that has fewer columns where there is less room.

    Attributes:
        build: makes the table for so many characters.
    """

    build: Callable[[int], Table]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table for the room that there is."""
        yield self.build(options.max_width)


def _numbers(table: Table, names: Sequence[str]) -> None:
    for column in table.columns:
        if column.header in names:
            column.justify, column.no_wrap = "right", True


def _segments(segments: list[dict[str, Any]], width: int) -> Table:
    named = ("value", "expected", "n", "evidence") if width >= _WIDE else ("n", "evidence")
    table = _table("segment", "shift", *named)
    table.columns[0].overflow = "fold"
    _numbers(table, ("shift", *named))
    for segment in segments[:_LISTED]:
        table.add_row(
            Text(f"{segment['dimension']}={segment['segment']}"),
            percent(segment["relative_shift"]),
            *(number(segment[name]) for name in named),
        )
    if len(segments) > _LISTED:
        table.add_row(f"and {len(segments) - _LISTED} more: --json lists them")
    return table


def _detail(explanation: Explanation, width: int) -> Table:
    wide = width >= _WIDE
    headings = ["from", "value", "expected", "noise", "n", "state", "evidence"]
    left_out = set() if wide else {"noise"} if width >= _NARROW else {"noise", "expected", "n"}
    shown = [heading for heading in headings if heading not in left_out]
    table = _table(*shown)
    _numbers(table, ("value", "expected", "n", "evidence"))
    dated = wide or len({row.start[:10] for row in explanation.detail}) > 1
    marks = {from_rfc3339(mark.at): mark.name for mark in explanation.marks}
    for row in explanation.detail:
        start_us, end_us = from_rfc3339(row.start), from_rfc3339(row.end)
        banded = row.lower is not None and row.upper is not None
        # An incident starts with a bucket and is found at the end of one.
        names = [marks[at] for at in (start_us, end_us) if _belongs(marks.get(at), at == start_us)]
        cells = {
            "from": to_rfc3339(start_us)[5 if dated else 11 : 16].replace("T", " "),
            "value": _or_dash(row.value),
            "expected": _or_dash(row.expected),
            "noise": f"{number(row.lower)} to {number(row.upper)}" if banded else "-",
            "n": _or_dash(row.n),
            "state": row.state + "".join(f" ({name})" for name in names),
            "evidence": _or_dash(row.evidence),
        }
        table.add_row(*(cells[heading] for heading in shown))
    return table


def _or_dash(value: float | None) -> str:
    return "-" if value is None else number(value)


def _belongs(name: str | None, at_start: bool) -> bool:
    return name is not None and (name in ("start", "asked")) == at_start


def _judging(explanation: Explanation) -> Iterator[tuple[str, str]]:
    facts = explanation.judging
    if facts.threshold is not None:
        yield (
            "threshold",
            f"{odds(facts.threshold)} against noise (log10 {number(facts.threshold)})",
        )
    if facts.seconds_per_false_alarm is not None:
        every = long(facts.seconds_per_false_alarm)
        yield (
            "",
            f"on average one false {facts.severity or 'alarm'} of this series in {every} or more",
        )
    if explanation.peak is not None:
        at = _minute(explanation.peak.at)
        yield "peak evidence", f"log10 {number(explanation.peak.evidence)} at {at}"
    yield from _settings(facts)


def _settings(facts: Judging) -> Iterator[tuple[str, str]]:
    if facts.bucket_seconds is not None:
        yield "bucket", format_duration(round(facts.bucket_seconds * SECOND))
    if facts.direction is not None:
        said = {"up": "rises only", "down": "falls only"}.get(facts.direction, "rises and falls")
        yield "direction", said
    if facts.min_relative_shift is not None:
        yield "minimum shift", f"{percent(facts.min_relative_shift)[1:]}: less is no shift"
    if facts.min_units is not None:
        yield "minimum units", f"{number(facts.min_units)} expected in a bucket; fewer: not judged"
    if facts.no_data is not None:
        yield "silence", "is an alert" if facts.no_data == "alert" else "is ignored"


def _needed(explanation: Explanation) -> Iterator[tuple[str, str]]:
    for needed in explanation.needed:
        within = f"within {long(needed.within_seconds)}"
        if needed.relative_shift is None:
            yield within, "none, however large"
        else:
            yield (
                within,
                f"about {percent(needed.relative_shift)[1:]}, found about half of the time",
            )
    yield "", "at the volume and noise of that bucket, if it had begun there"


def _context(explanation: Explanation) -> Iterator[tuple[str, str]]:
    alert = explanation.alert
    if alert is not None:
        yield "alert", f"{alert['alert_id']}, {alert['state']}"
        yield "data quality", _quality(alert.get("data_quality") or {})
        yield "release", _release(alert.get("release"))
    yield "runbook", explanation.runbook_url or "not set"
    yield "owner", explanation.owner or "not set"


def _quality(quality: dict[str, Any]) -> str:
    parts = ["suspect" if quality.get("suspect") else "no doubt was found"]
    parts += [str(reason) for reason in quality.get("reasons", ())]
    for name in ("duplicates", "late"):
        share = quality.get(name)
        parts.append(f"{name} not measured" if share is None else f"{name} {100 * share:.3g} %")
    silent = [f"{s['dimension']}={s['segment']}" for s in quality.get("silent", ())]
    if silent:
        parts.append(f"silent: {', '.join('the whole' if s == 'all=all' else s for s in silent)}")
    return "; ".join(parts)


def _release(release: dict[str, Any] | None) -> str:
    if release is None:
        return "no release is known"
    before = release.get("seconds_before")
    when = "" if before is None else f", {long(float(before))} before the start"
    words = (release.get(name) for name in ("service", "version", "environment"))
    return " ".join(str(word) for word in words if word) + when + "; it need not be the cause"


def _minute(text: str) -> str:
    return to_rfc3339(from_rfc3339(text))[:16].replace("T", " ")
