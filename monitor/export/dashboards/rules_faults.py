"""Rules on faults that the monitor gets over by itself, for when they do not end."""

from monitor.export.dashboards.rule import Rule, grown

_PLACE = "job, instance"


def faults() -> list[Rule]:
    """What is tried again and again, and what nobody else would tell."""
    role = f"{_PLACE}, role"
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
            expr=f"{grown('view_errors_total', '15m', by=_PLACE)} > 0",
            wait="5m",
            summary="The view at {{ $labels.instance }} cannot be written, or not be read from its topics.",
            remedy="What the API and the page tell is old. `view.not_written` and `view.passed_over` "
            "in the log of the role serve have the reason; is its disk full?",
        ),
        Rule(
            alert="MonitorStateLost",
            severity="page",
            expr=f"{grown('shard_states_lost_total', '1h', by=_PLACE)} > 0",
            summary="{{ $value | humanize }} shards at {{ $labels.instance }} had no snapshot and began in "
            "the middle of the log.",
            remedy="Their metrics learn anew and are not judged meanwhile. `shard.state_lost` in the log of "
            "the core names them. Was the topic of snapshots emptied? `monitor backfill` brings history "
            "into a service without state.",
        ),
        Rule(
            alert="MonitorLogReset",
            severity="ticket",
            expr=f"{grown('log_resets_total', '1h', by=_PLACE)} > 0",
            summary="The topic of frames was made anew under {{ $value | humanize }} shards at "
            "{{ $labels.instance }}.",
            remedy="What ingest had written and core not read is gone; MonitorFramesMissing fires where "
            "that was anything. Find out who deleted it: `shard.log_is_new` in the log has the time.",
        ),
        Rule(
            alert="MonitorOffsetGone",
            severity="ticket",
            expr=f"{grown('source_offsets_gone_total', '1h', by=_PLACE)} > 0",
            summary="The group had no offset of {{ $value | humanize }} partitions at "
            "{{ $labels.instance }}; the frames told where to go on.",
            remedy="Nothing was lost. Offsets expire with a group that has no member for "
            "offsets.retention.minutes, or somebody deleted them.",
        ),
        Rule(
            alert="MonitorClockJumped",
            severity="ticket",
            expr=f"{grown('clock_jumps_total', '1h', by=role)} > 0",
            summary="The clock of {{ $labels.role }} at {{ $labels.instance }} was set.",
            remedy="`clock.jumped` in its log has by how much. Look at the machine's NTP service.",
        ),
    ]
