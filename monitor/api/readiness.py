"""What `/readyz` says: whether this process answers from all that the journal held, and how fresh that is.

Ready says nothing of a backlog: while one is read, pages, gates and alerts answer as well as they can, and
taking them away would help nobody. How far behind the answers are stands in the body, for whoever waits.
"""

from typing import Any, Final

from prometheus_client import CollectorRegistry

from monitor.definitions.calendar import bucket_end
from monitor.definitions.plan import Plan
from monitor.journal.store import Store
from monitor.model.time import SECOND, to_rfc3339

MEANS: Final = (
    "ready: all that the journal held when this process started is served; judged_until and "
    "source_lag_events say how far the service has come in the events"
)
_LAG: Final = "monitor_source_lag_events"


def progress(
    store: Store, plan: Plan, counters: CollectorRegistry, *, now_us: int
) -> dict[str, Any]:
    """How far the service has come.

    Returns:
        judged_until: end of the newest closed bucket, RFC 3339; null before the first.
        behind_seconds: how long ago that was; a bucket as long as the shortest is usual.
        source_lag_events: events not read yet, over all partitions; null where no role that reads runs here.
    """
    calendars = {metric.name: metric.calendar for metric in plan.metrics}
    ends = [
        bucket_end(calendars[metric], start_us)
        for metric, start_us in store.newest_starts().items()
        if metric in calendars
    ]
    until_us = max(ends, default=None)
    lags = [
        sample.value
        for family in counters.collect()
        if family.name == _LAG
        for sample in family.samples
    ]
    return {
        "judged_until": None if until_us is None else to_rfc3339(until_us),
        "behind_seconds": None if until_us is None else round((now_us - until_us) / SECOND, 3),
        "source_lag_events": round(sum(lags)) if lags else None,
        "means": MEANS,
    }
