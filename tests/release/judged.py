"""Evidence in a store, as the core emits it."""

from typing import Any

import msgspec

from monitor.journal.store import Store
from monitor.model.record import Record, Stream
from monitor.model.time import HOUR, to_rfc3339
from monitor.release.evidence import MetricEvidence
from tests.journal.examples import T0
from tests.release.test_verdict import series


def emit(store: Store, release_id: str, **changes: Any) -> None:
    """Of both metrics of the examples' plan: nothing has moved, unless changed."""
    records = []
    for metric, better in (("errors", "down"), ("orders", "up")):
        one = MetricEvidence(
            release=release_id,
            metric=metric,
            better=better,
            as_of=to_rfc3339(T0 + HOUR),
            series=[series(**changes)],
        )
        key, value = f"{release_id}|{metric}", msgspec.json.encode(one)
        records.append(Record(stream=Stream.VERDICTS, key=key, value=value))
    store.commit(records)
