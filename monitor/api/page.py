"""The status page: what fires, and how every metric stands. One file, no script, no other request."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from monitor.alert.text import duration, number
from monitor.api.sparkline import sparkline
from monitor.definitions.plan import MetricPlan, Plan
from monitor.journal.records import WHOLE
from monitor.journal.store import Store
from monitor.model.bucket import BucketColumns, Number
from monitor.model.incident import Incident, IncidentState
from monitor.model.quantity import percent
from monitor.model.tick import State
from monitor.model.time import SECOND, from_datetime
from monitor.report.style import STYLE

REFRESH_SECONDS = 15
RECENT_BUCKETS = 120
"""Buckets in the small chart of a metric."""

RECENT_INCIDENTS = 5
"""Incidents that are over and still listed."""

_PENDING = 0.5
"""An incident is pending above the square root of the threshold: half of its logarithm."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_UNSETTLED = (State.ALERTING.label, State.SUSPECTED.label, State.MEASUREMENT_MOVED.label)


def render(store: Store, plan: Plan, *, now_us: int, reasons: Sequence[str]) -> str:
    """The page as HTML.

    Args:
        store: the journal's view.
        plan: the metrics, in the order that they are listed.
        now_us: the wall clock.
        reasons: why the service is not ready.
    """
    incidents = store.alerts()
    firing = [i for i in incidents if i.state is IncidentState.FIRING]
    over = [i for i in incidents if i.state is IncidentState.RESOLVED][:RECENT_INCIDENTS]
    latest: dict[str, list[BucketColumns]] = {}
    for columns in store.latest_buckets():
        latest.setdefault(columns.metric, []).append(columns)
    rows = [
        _metric(
            metric, latest.get(metric.name, []), store.recent(metric.name, count=RECENT_BUCKETS)
        )
        for metric in plan.metrics
    ]
    return _PAGE.format(
        refresh=REFRESH_SECONDS,
        style=STYLE,
        title=f"{len(firing)} firing" if firing else "quiet",
        banner=_banner(firing, reasons, latest, now_us),
        firing="".join(_incident(i, now_us) for i in firing),
        metrics="".join(rows) or "<tr><td>No metric is defined.</td></tr>",
        over=_over(over),
    )


def _banner(
    firing: Sequence[Incident],
    reasons: Sequence[str],
    latest: dict[str, list[BucketColumns]],
    now_us: int,
) -> str:
    if reasons:
        kind, words = "warn", f"Not ready: {'; '.join(reasons)}"
    elif firing:
        kind, words = "bad", f"{len(firing)} alert{'s' if len(firing) > 1 else ''} firing"
    else:
        kind, words = "good", "No alert is firing"
    ends = [columns.end for group in latest.values() for columns in group]
    age = f"newest bucket ended {_ago(max(ends), now_us)}" if ends else "no bucket has closed yet"
    return f'<p class="banner {kind}"><b>{escape(words)}</b><span>{escape(age)}</span></p>'


def _incident(incident: Incident, now_us: int) -> str:
    link = ""
    if incident.runbook_url and incident.runbook_url.startswith(("https://", "http://")):
        link = f'<a href="{escape(incident.runbook_url)}">Runbook</a>'
    return (
        f'<article id="{escape(incident.alert_id)}" class="{escape(incident.severity)}">'
        f"<h3>{escape(_where(incident))}"
        f'<span class="pill alerting">{escape(incident.severity)}</span></h3>'
        f"<p>{escape(incident.summary)}</p>"
        f'<p class="dim">Began {escape(_ago(incident.started_at, now_us))}, found '
        f"{escape(_ago(incident.detected_at, now_us))} &middot; {escape(incident.reason)} {link}</p>"
        "</article>"
    )


def _metric(
    metric: MetricPlan, latest: Sequence[BucketColumns], recent: Sequence[BucketColumns]
) -> str:
    whole = next((c for c in latest if c.dimension == WHOLE and c.segments), None)
    about = escape(metric.description or metric.kind)
    called = escape(metric.name).replace("_", "_<wbr>")
    name = f'<th scope="row">{called}<small>{about}</small></th>'
    if whole is None:
        return f'<tr>{name}<td colspan="5" class="dim">no bucket has closed yet</td></tr>'
    state = whole.state[0]
    notes = [n for n in (_learning(whole), _unsettled(latest)) if n]
    more = "".join(f"<small>{escape(note)}</small>" for note in notes)
    band = f"{_shown(metric, whole.lower[0])} to {_shown(metric, whole.upper[0])}"
    noise = "" if whole.lower[0] is None else f"<small>noise: {escape(band)}</small>"
    return (
        f'<tr>{name}<td data-label="state"><span class="pill {escape(state)}">'
        f"{escape(state.replace('_', ' '))}</span>{more}</td>"
        f'<td data-label="value" class="num">{escape(_shown(metric, whole.value[0]))}'
        f"<small>{escape(_rolling(metric, whole))}</small></td>"
        f'<td data-label="expected" class="num">{escape(_shown(metric, whole.expected[0]))}{noise}</td>'
        f'<td data-label="evidence">{_meter(whole.evidence_ratio[0])}</td>'
        f'<td class="chart">{sparkline(recent)}</td></tr>'
    )


def _unsettled(latest: Sequence[BucketColumns]) -> str:
    segments = [
        segment
        for columns in latest
        if columns.dimension != WHOLE
        for segment, state in zip(columns.segments, columns.state, strict=True)
        if state in _UNSETTLED
    ]
    listed = ", ".join(segments[:3])
    if not segments:
        return ""
    return f"{len(segments)} segment{'s' if len(segments) > 1 else ''}: {listed}"


def _learning(whole: BucketColumns) -> str:
    """How long until the metric is judged."""
    left = whole.learning_seconds[0] if whole.learning_seconds else None
    return f"judged in {duration(round(left) * SECOND)}" if left else ""


def _rolling(metric: MetricPlan, whole: BucketColumns) -> str:
    """The rolling value, where the window is longer than the bucket, and n."""
    n = f"n = {number(whole.n[0])}"
    if metric.window_us <= metric.calendar.width_us:
        return n
    return f"{duration(metric.window_us)}: {_shown(metric, whole.window_value[0])}, {n}"


def _meter(ratio: Number) -> str:
    """How far the evidence is on its way to the threshold."""
    if ratio is None:
        return '<span class="dim">&ndash;</span>'
    share = round(100 * min(max(ratio, 0.0), 1.0))
    kind = "full" if ratio >= 1 else "half" if ratio >= _PENDING else ""
    label = f"{100 * max(ratio, 0.0):.0f} % of the threshold"
    return f'<span class="meter {kind}" title="{label}"><i style="width:{share}%"></i></span>'


def _over(incidents: Sequence[Incident]) -> str:
    if not incidents:
        return ""
    items = "".join(
        f'<li id="{escape(i.alert_id)}"><b>{escape(_where(i))}</b> {escape(_shift(i))}'
        f'<span class="dim">{escape(_minute(i.started_at))} to '
        f"{escape(_minute(i.resolved_at or ''))} &middot; {escape(i.reason)}</span></li>"
        for i in incidents
    )
    return f"<h2>Lately over</h2><ul>{items}</ul>"


def _where(incident: Incident) -> str:
    if incident.dimension == WHOLE:
        return incident.metric
    return f"{incident.metric} ({incident.dimension}={incident.segment})"


def _shift(incident: Incident) -> str:
    return "" if incident.relative_shift is None else percent(incident.relative_shift)


def _shown(metric: MetricPlan, value: Number) -> str:
    if value is None:
        return "\N{EN DASH}"
    if metric.unit_name == "share":
        return f"{100 * value:.3g} %"
    return number(value) + (f" {metric.unit_name}" if metric.unit_name else "")


def _ago(text: str, now_us: int) -> str:
    age_us = now_us - from_datetime(datetime.fromisoformat(text))
    return f"{duration(age_us)} ago" if age_us >= SECOND else "now"


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="{refresh}">
<title>monitor: {title}</title><style>{style}</style></head>
<body><main>
<h1>monitor</h1>
{banner}
{firing}
<h2>Metrics</h2>
<table><thead><tr><th>metric</th><th>state</th><th class="num">value</th>
<th class="num">expected</th><th>evidence</th><th>last buckets</th></tr></thead>
<tbody>{metrics}</tbody></table>
{over}
<footer>Times are UTC. Evidence is shown against the threshold that the alert budget sets.
<nav><a href="/api/v1/alerts">alerts</a> <a href="/api/v1/metrics">metrics</a>
<a href="/metrics">Prometheus</a> <a href="/api/openapi.json">API</a> <a href="/readyz">ready</a></nav></footer>
</main></body></html>
"""
