"""Rules on faults that the monitor gets over by itself, for when they do not end."""

from monitor.export.dashboards.rule import Rule, grown


def faults() -> list[Rule]:
    """What is tried again and again, and what nobody else would tell."""
    role = "job, instance, role"
    return [
        Rule(
            alert="MonitorPartitionsDropped",
            severity="ticket",
            expr=f"{grown('partitions_dropped_total', '15m', by=role)} > 20",
            wait="5m",
            summary="{{ $labels.role }} at {{ $labels.instance }} opens the same partitions again and again.",
            remedy="`partition.dropped` in its log has the error. A topic that takes no message (a "
            "full disk, a small max.message.bytes) holds its partition until it does; nothing is lost.",
        ),
        Rule(
            alert="MonitorDefinitionsDiffer",
            severity="ticket",
            expr=f"{grown('skipped_deltas_total', '15m', by='job, metric')} > 0",
            wait="1h",
            summary="Ingest and core have other definitions of {{ $labels.metric }}.",
            remedy="What ingest measures of it is not counted. Start every role again with the same "
            "configuration.",
        ),
        Rule(
            alert="MonitorViewFails",
            severity="ticket",
            expr=f"{grown('view_errors_total', '15m', by='job, instance')} > 0",
            wait="5m",
            summary="The view at {{ $labels.instance }} cannot be written, or not be read from its topics.",
            remedy="What the API and the page tell is old. `view.not_written` and `view.passed_over` "
            "in the log of the role serve have the reason; is its disk full?",
        ),
        Rule(
            alert="MonitorClockJumped",
            severity="ticket",
            expr=f"{grown('clock_jumps_total', '1h', by=role)} > 0",
            summary="The clock of {{ $labels.role }} at {{ $labels.instance }} was set.",
            remedy="`clock.jumped` in its log has by how much. Look at the machine's NTP service.",
        ),
    ]
