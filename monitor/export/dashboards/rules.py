"""Prometheus rules on the monitor's own health; what the metrics do is told by the monitor itself."""

from typing import Any

from monitor.definitions.plan import Plan
from monitor.export.dashboards.rule import JOB, SELECTED, Rule, grown
from monitor.export.dashboards.rules_faults import faults
from monitor.export.dashboards.rules_reading import progress, reading
from monitor.export.dashboards.rules_roles import roles

_PLACE = "job, instance"
_APPLIED = 'outcome="applied"'
_WRITTEN = 'outcome="written"'


def rules(plan: Plan) -> dict[str, Any]:
    """The file of rules; how long a bucket may take follows from the definitions."""
    groups = {
        "monitor-alive": _alive(),
        "monitor-reading": [*progress(plan), *reading()],
        "monitor-deciding": _deciding(),
        "monitor-telling": _telling(),
        "monitor-faults": faults(),
        "monitor-roles": roles(),
    }
    return {
        "groups": [
            {"name": name, "interval": "30s", "rules": [rule.document() for rule in listed]}
            for name, listed in groups.items()
        ]
    }


def _alive() -> list[Rule]:
    return [
        Rule(
            alert="MonitorDeadMansSwitch",
            severity="none",
            expr="vector(1)",
            summary="Always firing: Prometheus and Alertmanager deliver.",
            remedy="Send it to a service that tells you when it stops arriving.",
        ),
        Rule(
            alert="MonitorDown",
            severity="page",
            expr=f"up{{{SELECTED}}} == 0",
            wait="2m",
            summary="The monitor at {{ $labels.instance }} does not answer its scrapes.",
            remedy="Nothing that it watches is judged or told. Look at its log and /healthz; start "
            "it again: it goes on from its last snapshot.",
        ),
        Rule(
            alert="MonitorAbsent",
            severity="page",
            expr=f"absent(up{{{SELECTED}}})",
            wait="5m",
            summary=f"Prometheus scrapes no monitor: there is no job {JOB}.",
            remedy="Nobody would see the monitor die. Put the scrape job back into Prometheus' "
            "configuration.",
        ),
        Rule(
            alert="MonitorReadsNothing",
            severity="page",
            expr=f"absent(monitor_watermark_timestamp_seconds{{{SELECTED}}}) and on () up{{{SELECTED}}} == 1",
            wait="10m",
            summary="The monitor is up and no source has a watermark.",
            remedy="No event was read since its start. Does the role ingest run, does the topic "
            "exist, does anything produce to it?",
        ),
        Rule(
            alert="MonitorJudgesNothing",
            severity="page",
            expr=f"absent(monitor_bucket_end_timestamp_seconds{{{SELECTED}}}) and on () up{{{SELECTED}}} == 1",
            wait="15m",
            summary="The monitor is up and shows no closed bucket of any metric.",
            remedy="Events may be read, but nothing is judged. Does the role core run? Has every "
            "partition of the source spoken (/readyz)?",
        ),
        Rule(
            alert="MonitorRestarts",
            severity="ticket",
            expr=f"{grown('restarts_total', '1h', by='job, instance, role')} > 2",
            summary="{{ $labels.role }} at {{ $labels.instance }} keeps being started again.",
            remedy="Look for the error before each `role.died` or `partition.dropped` in its log.",
        ),
    ]


def _deciding() -> list[Rule]:
    def frames(outcome: str) -> str:
        return grown("frames_total", "1h", f'outcome="{outcome}"', by=_PLACE) + " > 0"

    failed = grown("snapshots_total", "1h", 'outcome="failed"', by=_PLACE)
    return [
        Rule(
            alert="MonitorFramesQuarantined",
            severity="ticket",
            expr=frames("quarantined"),
            summary="{{ $value | humanize }} frames could not be applied; what they held is missing.",
            remedy="`frame.quarantined` in the log of the core names the shard and the offset. After "
            "a change of definitions it concerns the changed metrics only.",
        ),
        Rule(
            alert="MonitorFramesMissing",
            severity="ticket",
            expr=frames("gap"),
            summary="The log has a gap that did not close: {{ $value | humanize }} times.",
            remedy="Was the topic of frames shortened or emptied? The buckets concerned are marked "
            "suspect; new ones are whole.",
        ),
        Rule(
            alert="MonitorSnapshotsFailing",
            severity="ticket",
            expr=f"{failed} > 0",
            summary="{{ $value | humanize }} snapshots could not be used at {{ $labels.instance }}.",
            remedy="An older one was taken, and more of the log was read again. `snapshot.unusable` "
            "in the log of the core has the reason.",
        ),
        Rule(
            alert="MonitorSnapshotsMissing",
            severity="ticket",
            expr=f"{grown('frames_total', '1h', _APPLIED, by=_PLACE)} > 0 unless "
            f"{grown('snapshots_total', '1h', _WRITTEN, by=_PLACE)} > 0",
            wait="1h",
            summary="The core at {{ $labels.instance }} applies frames and writes no snapshots.",
            remedy="Its next start would read the log from the last one, for longer every hour. Look "
            "at its log; is the topic of snapshots writable?",
        ),
        Rule(
            alert="MonitorSeriesLeftOut",
            severity="ticket",
            expr=f"max by (job) (monitor_series_left_out{{{SELECTED}}}) > 0",
            wait="30m",
            summary="{{ $value }} series are judged but not exported.",
            remedy="Raise prometheus.max_series, set prometheus.segments to firing, or lower "
            "cardinality.per_dimension.",
        ),
    ]


def _telling() -> list[Rule]:
    def posts(outcomes: str) -> str:
        chosen = f'outcome=~"{outcomes}"'
        return grown("alertmanager_posts_total", "10m", chosen, by=_PLACE)

    return [
        Rule(
            alert="MonitorAlertmanagerUnreachable",
            severity="page",
            expr=f"{posts('failed')} > 0 unless {posts('sent')} > 0",
            wait="5m",
            summary="The monitor at {{ $labels.instance }} cannot post to Alertmanager.",
            remedy="Incidents fire and nobody is told; the status page has them. Is Alertmanager up, "
            "is alertmanager.url right?",
        ),
        Rule(
            alert="MonitorAlertmanagerRejects",
            severity="ticket",
            expr=f"{posts('rejected')} > 0",
            summary="Alertmanager refused {{ $value | humanize }} posts of {{ $labels.instance }}.",
            remedy="`alertmanager.rejected` in the log of the role serve has Alertmanager's words.",
        ),
    ]
