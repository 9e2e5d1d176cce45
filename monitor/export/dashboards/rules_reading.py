"""Rules on the way in: whether time moves on, and what the events are worth."""

from collections import defaultdict

from monitor.definitions.plan import Plan
from monitor.export.dashboards.promql import owned
from monitor.export.dashboards.rule import SELECTED, Rule, grown
from monitor.model.time import MINUTE, SECOND

_SLACK_US = 5 * MINUTE
"""What reading, flushing, judging and scraping may take on top of what is configured."""


def progress(plan: Plan) -> list[Rule]:
    """Time that stands still, by the lateness and the buckets of the definitions."""
    behind_us = max(plan.allowed_lateness_us, plan.idle_timeout_us) + _SLACK_US
    watermark = f"max by (job, source) (monitor_watermark_timestamp_seconds{{{SELECTED}}})"
    # One that waits for another is not to be seen to; the one that it waits for is told.
    waits = f"min by (job, source) ({owned('source_waits', SELECTED)})"
    widths: dict[int, list[str]] = defaultdict(list)
    for metric in plan.metrics:
        widths[metric.calendar.width_us].append(metric.name)
    overdue = [
        f"(time() - max by (job, metric) (monitor_bucket_end_timestamp_seconds"
        f'{{{SELECTED}, dimension="all", metric=~"{"|".join(names)}"}}) '
        f"> {_seconds(width_us + behind_us)})"
        for width_us, names in sorted(widths.items())
    ]
    stale = Rule(
        alert="MonitorWatermarkStale",
        severity="page",
        expr=f"(time() - {watermark} > {_seconds(behind_us)}) unless on (job, source) {waits} == 1",
        wait="5m",
        summary="Source {{ $labels.source }} stands still: its watermark is "
        "{{ $value | humanizeDuration }} behind.",
        remedy="No bucket closes until every source moves on, so nothing is judged. Is its ingest "
        "running, is the broker there, are the producers' clocks right? A silent source is no cause: "
        "it is given the time of arrival.",
    )
    buckets = Rule(
        alert="MonitorBucketsOverdue",
        severity="ticket",
        expr=" or ".join(overdue),
        wait="10m",
        summary="{{ $labels.metric }} has had no closed bucket for {{ $value | humanizeDuration }}.",
        remedy="Look at MonitorWatermarkStale first; else at the role core and its log.",
    )
    return [stale, buckets] if overdue else [stale]


def reading() -> list[Rule]:
    """How far behind the reading is, and how much of what is read counts."""
    read = grown("events_total", "15m")
    lag = f"sum by (job) ({owned('source_lag_events', SELECTED)})"
    return [
        Rule(
            alert="MonitorSourceLag",
            severity="ticket",
            expr=f"{lag} > 300 * sum by (job) (rate(monitor_events_total{{{SELECTED}}}[15m]))",
            wait="15m",
            summary="More than five minutes of reading are waiting in the topic "
            "({{ $value | humanize }} events).",
            remedy="Alerts come late. Where MonitorWatermarkStale is told too, sources wait for that one. Else "
            "more ingest processes help up to the number of partitions; a backfill catches up by itself.",
        ),
        Rule(
            alert="MonitorDeadLettersRising",
            severity="ticket",
            expr=f"{grown('dead_letters_total', '15m')} / {read} > 0.01",
            wait="10m",
            summary="{{ $value | humanizePercentage }} of the events cannot be used.",
            remedy="The reasons are on the overview, the bytes in the journal's dead letters. "
            "not_json and missing_* point at a producer, too_far_in_future at its clock.",
        ),
        Rule(
            alert="MonitorLateEventsRising",
            severity="ticket",
            expr=f"{grown('late_events_total', '15m')} / {read} > 0.05",
            wait="30m",
            summary="{{ $value | humanizePercentage }} of the events come after their bucket closed.",
            remedy="Late events are restated, never judged. Find what delays them, or raise "
            "allowed_lateness.",
        ),
        Rule(
            alert="MonitorEventsLost",
            severity="page",
            expr=f"{grown('lost_events_total', '15m')} > 0",
            summary="{{ $value | humanize }} events were removed by retention before they were read.",
            remedy="Raise the retention of the source's topic at once, then find why ingest was so "
            "far behind. The buckets concerned are marked suspect.",
        ),
    ]


def _seconds(duration_us: int) -> int:
    return duration_us // SECOND
