"""Rules on the processes of the roles: whether they are there, and what they hold of what they may."""

from monitor.export.dashboards.rule import SELECTED, Rule

_PLACE = "job, instance"
_SILENT_SECONDS = 120
"""A role speaks every five seconds; a start takes some more."""
_NEARLY = 0.9
_TASKS = 1_000
"""A role has some tens, and one more for each request that it answers."""


def roles() -> list[Rule]:
    """What nobody else tells before the process is killed for it, or after it was."""
    role = f"{_PLACE}, role"
    resident = f"monitor_role_resident_bytes{{{SELECTED}}}"
    memory = f"sum by ({_PLACE}) ({resident})"
    limit = f"max by ({_PLACE}) (monitor_role_memory_limit_bytes{{{SELECTED}}})"
    seen = f'max by ({role}) (monitor_role_seen_timestamp_seconds{{{SELECTED}, role!="hooks"}})'
    files = f"max by ({role}) (monitor_role_open_files{{{SELECTED}}})"
    most_files = f"max by ({role}) (monitor_role_file_limit{{{SELECTED}}})"
    return [
        Rule(
            alert="MonitorRoleSilent",
            severity="page",
            expr=f"time() - {seen} > {_SILENT_SECONDS}",
            wait="2m",
            summary="The role {{ $labels.role }} at {{ $labels.instance }} has not been heard of for "
            "{{ $value | humanizeDuration }}.",
            remedy="Without ingest nothing is read, without core nothing is judged. Is its process "
            "frozen, or was its `monitor run` stopped? If it runs elsewhere now, start the run that "
            "serves this page again: it forgets who was there.",
        ),
        Rule(
            alert="MonitorMemoryNearLimit",
            severity="ticket",
            expr=f"{memory} / {limit} > {_NEARLY}",
            wait="10m",
            summary="The roles at {{ $labels.instance }} hold {{ $value | humanizePercentage }} of the "
            "memory that they may.",
            remedy="The system kills what goes beyond. Raise the limit, or spread the roles over more "
            "processes (docs/scaling.md says what a series and a partition need).",
        ),
        Rule(
            alert="MonitorMemoryGrows",
            severity="ticket",
            expr=f"predict_linear(({memory})[6h:5m], 86400) > {limit} "
            f"and {memory} > 0.5 * {limit} and sum by ({_PLACE}) ({resident} offset 6h) > 0",
            wait="1h",
            summary="The memory of the roles at {{ $labels.instance }} grows: in a day they would hold "
            "{{ $value | humanize1024 }}B, more than they may.",
            remedy="Is a source standing still (MonitorWatermarkStale), so that no bucket closes? Have "
            "metrics or segments been added? Else it is a fault of the monitor: report it with its log.",
        ),
        Rule(
            alert="MonitorFilesNearLimit",
            severity="ticket",
            expr=f"{files} / {most_files} > {_NEARLY}",
            wait="10m",
            summary="{{ $labels.role }} at {{ $labels.instance }} has {{ $value | humanizePercentage }} "
            "of the files open that it may.",
            remedy="Raise the limit of open files (ulimit -n, LimitNOFILE). A role needs some tens, and "
            "one more for each connection of a client.",
        ),
        Rule(
            alert="MonitorTasksPileUp",
            severity="ticket",
            expr=f"min_over_time(monitor_role_tasks{{{SELECTED}}}[1h]) > {_TASKS}",
            summary="{{ $labels.role }} at {{ $labels.instance }} has had {{ $value }} tasks under way "
            "for an hour.",
            remedy="Does something ask its API without end, or does a server that it talks to answer "
            "nothing? Its log says which.",
        ),
    ]
