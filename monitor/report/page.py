"""The page of a replay: what it would have paged about. One file, no script, nothing fetched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from monitor.alert.text import duration, number
from monitor.model.incident import Incident
from monitor.model.quantity import percent
from monitor.model.time import SECOND, from_rfc3339
from monitor.report.chart import Chart, svg
from monitor.report.detected import outcome_in_words, shift_found
from monitor.report.style import REPORT_STYLE
from monitor.report.survey import survey_card

WHOLE = "all"
_LISTED_SEGMENTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One alert.

    Attributes:
        incident: as it last fired, with the time of its end.
        over: how it ended; empty while it lasts.
        chart: its series around it.
        run: buckets that each point of the chart stands for.
    """

    incident: Incident
    over: str
    chart: Chart
    run: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the operator allows, and what was used of it.

    Attributes:
        severity: `page` or `ticket`.
        allowed: false alarms a period.
        per_us: the period.
        fired: in the history, false or true.
    """

    severity: str
    allowed: float
    per_us: int
    fired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the page tells.

    Attributes:
        sources: the files that were read.
        summary: the body of `summary.json`.
        budgets: of pages, and of tickets.
        cards: the most evident first.
        left_out: alerts that have no card.
        elsewhere: where all of them stand.
    """

    sources: Sequence[str]
    summary: Mapping[str, Any]
    budgets: Sequence[Budget]
    cards: Sequence[Card]
    left_out: int
    elsewhere: str


def render(report: Report) -> str:
    """The page as HTML."""
    fired = report.summary["alerts"]["fired"]
    words = f"{fired:,} alert{'' if fired == 1 else 's'}" if fired else "No alert"
    span = report.summary["span"]
    when = f"{_minute(span['first'])} to {_minute(span['last'])}" if span["first"] else "no event"
    return _PAGE.format(
        style=REPORT_STYLE,
        title=f"monitor replay: {escape(words)}",
        kind="bad" if fired else "good",
        words=escape(f"{words} in this history"),
        span=escape(when),
        facts="".join(_facts(report)),
        metrics="".join(_metric(one) for one in report.summary["metrics"]),
        injections=_injections(report.summary["injections"]) + _surveys(report.summary["surveys"]),
        cards=_cards(report),
    )


def _facts(report: Report) -> list[str]:
    summary = report.summary
    events, span = summary["events"], summary["span"]
    facts = []
    if span["first"]:
        length = from_rfc3339(span["last"]) - from_rfc3339(span["first"])
        facts.append(("period", duration(length), f"{_minute(span['first'])} on"))
        judged = _judged_us(summary)
        facts += [_budget(budget, judged) for budget in report.budgets]
    odd = f"{events['late']:,} late, {events['dead_lettered']:,} could not be used"
    facts.append(("events", f"{events['read']:,}", f"{odd}; {', '.join(report.sources)}"))
    return [
        f"<div><small>{escape(name)}</small><b>{escape(value)}</b>"
        f"<small>{escape(more)}</small></div>"
        for name, value, more in facts
    ]


def _judged_us(summary: Mapping[str, Any]) -> int:
    """How long the metric that was learnt first has been judged."""
    last = from_rfc3339(summary["span"]["last"])
    learnt = [m["learning_until"] for m in summary["metrics"] if not m["learning"]]
    return max([0, *(last - from_rfc3339(until) for until in learnt if until)])


def _budget(budget: Budget, judged_us: int) -> tuple[str, str, str]:
    """How much of a budget was used."""
    allowed = number(budget.allowed * judged_us / budget.per_us)
    more = (
        f"fired, true or false; the budget allows {allowed} false ones in the "
        f"{duration(judged_us)} that were judged ({number(budget.allowed)} per "
        f"{duration(budget.per_us)})"
    )
    return f"{budget.severity}s", f"{budget.fired:,}", more


def _metric(one: Mapping[str, Any]) -> str:
    until = _minute(one["learning_until"]) if one["learning_until"] else "\N{EN DASH}"
    state = '<span class="pill suspected">learning</span>' if one["learning"] else ""
    soon, later = (escape(shift_found(one, horizon)) for horizon in ("1h", "1d"))
    return (
        f'<tr><th scope="row">{_wrapped(one["metric"])} {state}</th>'
        f'<td data-label="buckets" class="num">{one["buckets"]:,}</td>'
        f'<td data-label="learning until">{escape(until)}</td>'
        f'<td data-label="alerts" class="num">{one["alerts"]:,}</td>'
        f'<td data-label="shift found in 1 h" class="num">{soon}</td>'
        f'<td data-label="in 1 d" class="num">{later}</td></tr>'
    )


def _injections(injections: Sequence[Mapping[str, Any]]) -> str:
    if not injections:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(one["inject"])}</th>'
        f'<td class="wide">{escape(outcome_in_words(one))}'
        f"{''.join(f'<small>{escape(note)}</small>' for note in one['notes'])}</td></tr>"
        for one in injections
    )
    head = "<thead><tr><th>injected shift</th><th>what became of it</th></tr></thead>"
    return f"<h2>Injected shifts</h2><table>{head}<tbody>{rows}</tbody></table>"


def _surveys(surveys: Sequence[Mapping[str, Any]]) -> str:
    if not surveys:
        return ""
    return f"<h2>Shifts tried at many times</h2>{''.join(map(survey_card, surveys))}"


def _cards(report: Report) -> str:
    if not report.cards:
        return "<p>No alert fired in this history.</p>"
    more = ""
    if report.left_out:
        more = (
            f'<p class="dim">{report.left_out:,} less evident alerts are left out here; '
            f"all stand in {escape(report.elsewhere)}.</p>"
        )
    return more + "".join(_card(card) for card in report.cards) + more


def _card(card: Card) -> str:
    incident = card.incident
    where = incident.metric
    if incident.dimension != WHOLE:
        where += f" ({incident.dimension}={incident.segment})"
    shift = "" if incident.relative_shift is None else f", {percent(incident.relative_shift)}"
    label = f"{where}{shift}: value and evidence by bucket"
    ended = (
        f"<p>{escape(card.over)}</p>" if card.over else "<p>It lasts until the history ends.</p>"
    )
    run = "" if card.run == 1 else f" Each point stands for {card.run} buckets."
    return (
        f'<article id="{escape(incident.alert_id)}" class="{escape(incident.severity)}">'
        f'<h3>{escape(where + shift)}<span class="pill alerting">{escape(incident.severity)}'
        f"</span></h3><p>{escape(incident.summary)}</p>{ended}"
        f"{svg(card.chart, label=label)}"
        f'<p class="dim">Found {escape(_took(incident))} after it began &middot; '
        f"{escape(incident.reason)} &middot; evidence 10^{incident.evidence:.1f}, threshold "
        f"10^{incident.threshold:.1f}.{escape(run)}</p>{_segments(incident)}</article>"
    )


def _took(incident: Incident) -> str:
    began, found = from_rfc3339(incident.started_at), from_rfc3339(incident.detected_at)
    return duration(max(found - began, SECOND))


def _segments(incident: Incident) -> str:
    if not incident.segments:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(str(s["dimension"]))}={escape(str(s["segment"]))}</th>'
        f'<td data-label="shift" class="num">{escape(percent(s["relative_shift"]))}</td>'
        f'<td data-label="value" class="num">{escape(number(s["value"]))}</td>'
        f'<td data-label="expected" class="num">{escape(number(s["expected"]))}</td>'
        f'<td data-label="n" class="num">{escape(number(s["n"]))}</td></tr>'
        for s in incident.segments[:_LISTED_SEGMENTS]
    )
    more = len(incident.segments) - _LISTED_SEGMENTS
    note = f'<p class="dim">and {more} more segments</p>' if more > 0 else ""
    return (
        '<table><thead><tr><th>segment</th><th class="num">shift</th><th class="num">value</th>'
        '<th class="num">expected</th><th class="num">n</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{note}"
    )


def _wrapped(name: str) -> str:
    return escape(name).replace("_", "_<wbr>")


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head>
<body><main>
<h1>monitor replay</h1>
<p class="banner {kind}"><b>{words}</b><span>{span}</span></p>
<div class="facts">{facts}</div>
<h2>Metrics</h2>
<table><thead><tr><th>metric</th><th class="num">buckets</th><th>learning until</th>
<th class="num">alerts</th><th class="num">shift found in 1 h</th><th class="num">in 1 d</th></tr></thead>
<tbody>{metrics}</tbody></table>
<p class="dim">A shift of that size, in the whole metric, is found within that time in about every second
case; a larger one sooner.</p>
{injections}
<h2>Alerts, the most evident first</h2>
{cards}
<footer>Times are UTC. In a chart: the value (blue) over the band of what is noise and what was expected
(grey), the time of the alert shaded; below it the evidence and the threshold that the alert budget
sets.</footer>
</main></body></html>
"""
