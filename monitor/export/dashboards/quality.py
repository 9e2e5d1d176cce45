"""The row on the data: whether what is shown can be trusted."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from monitor.export.dashboards import series
from monitor.export.dashboards.promql import SCRAPED, gauge, owned, rate


def add_quality(board: Dashboard) -> Dashboard:
    """Add the row."""
    board.with_row(Row("Data quality"))
    age = f"time() - {gauge('watermark_timestamp_seconds', by='source')}"
    events = (
        (
            "Events read",
            "Events per second, by what became of them: accepted, or put aside as dead letters.",
            [("{{outcome}}", rate("events_total", "outcome"))],
            "cps",
        ),
        (
            "Dead letters by reason",
            "Lines that could not be used. Each is kept whole, with its reason, in the journal.",
            [("{{reason}}", rate("dead_letters_total", "reason"))],
            "cps",
        ),
        (
            "Late and lost events",
            "Late: after their bucket had closed; it is restated, and fires nothing. Lost: removed "
            "by the topic's retention before they were read.",
            [("late", rate("late_events_total")), ("lost", rate("lost_events_total"))],
            "cps",
        ),
        (
            "Watermark age",
            "How far the event time up to which a source is complete lies behind now. A bucket "
            "closes when the watermarks of all sources have passed its end.",
            [("source {{source}}", age)],
            "s",
        ),
        (
            "Lag",
            "Events of a source that are not read yet.",
            [("source {{source}}", f"max by (source) ({owned('source_lag_events', SCRAPED)})")],
            "short",
        ),
        (
            "Faults of the monitor",
            "Per second: roles started again, frames that could not be applied, snapshots and posts "
            "to Alertmanager that failed. All of them should be 0.",
            [
                ("restarts of {{role}}", rate("restarts_total", "role")),
                (
                    "frames: {{outcome}}",
                    rate("frames_total", "outcome", 'outcome=~"quarantined|gap"'),
                ),
                ("snapshots: {{outcome}}", rate("snapshots_total", "outcome", 'outcome="failed"')),
                (
                    "Alertmanager: {{outcome}}",
                    rate("alertmanager_posts_total", "outcome", 'outcome=~"failed|rejected"'),
                ),
            ],
            "cps",
        ),
    )
    good = 'metric=~"data_quality_(unique|complete|wellformed|on_time)"'
    of_event = 'dimension="event"'
    volume = gauge("bucket_value", 'metric="data_quality_volume"', of_event, by="segment")
    own = (
        (
            "Good lines",
            "Share of the lines of each event that came once, on time, could be read and had every field "
            "that a metric needs. A fall that is no noise is a ticket.",
            [
                (
                    "{{metric}} {{segment}}",
                    gauge("bucket_value", good, of_event, by="metric, segment"),
                )
            ],
            "percentunit",
        ),
        (
            "Events by name",
            "Events of each name in the newest bucket. One that falls silent is a ticket, and a page of "
            "the metrics that use it.",
            [("{{segment}}", volume)],
            "short",
        ),
        (
            "Arrival delay",
            "Time from an event to its arrival, where the source tells when it arrived.",
            [
                (
                    "{{metric}} {{segment}}",
                    gauge(
                        "bucket_value",
                        'metric=~"data_quality_delay_.*"',
                        of_event,
                        by="metric, segment",
                    ),
                )
            ],
            "s",
        ),
    )
    for title, description, figures, unit in (*events, *own):
        board.with_panel(series.lines(title, description, figures, unit=unit).span(8).min(0))
    return board
