"""A dimension whose values never repeat: what is kept does not grow with them."""

from pathlib import Path

import pytest

from monitor.core.machine import Machine
from monitor.definitions import compile_plan, load
from monitor.ingest.source import Ingest
from monitor.model.time import SECOND

METRICS = """
metrics:
  - {name: orders, kind: count, of: {event: order}, segments: [customer, [country, customer]]}
  - {name: revenue, kind: mean, of: {event: order, value: amount}, segments: [customer]}
"""
START = 1_700_000_000
BATCH = 500
CAP = 10


class Flow:
    """Ingest and core of one source."""

    def __init__(self, folder: Path) -> None:
        (folder / "metrics").mkdir()
        (folder / "metrics" / "m.yaml").write_text(METRICS)
        (folder / "monitor.yaml").write_text(
            f"source: {{synthetic: {{}}}}\ncardinality: {{per_dimension: {CAP}}}\n"
        )
        plan = compile_plan(load(folder, environment={}), shards=1)
        self.ingest = Ingest(
            plan, None, source=0, sources=1, name="0", position=0, clock=lambda: 10**18, state=None
        )
        self.machine = Machine(plan, 0)
        self.read = 0

    def feed(self, events: int) -> None:
        """Events of customers that were never seen before, 250 a second, a bucket a round."""
        for first in range(self.read, self.read + events, BATCH):
            at = START + first // 250
            lines = [
                b'{"name":"order","time":%d,"values":{"amount":%d},'
                b'"dimensions":{"country":"c%d","customer":"customer-%d"}}'
                % (at, 1 + number % 90, number % 7, number)
                for number in range(first, first + BATCH)
            ]
            self.ingest.add_many(
                lines, list(range(first, first + BATCH)), at * SECOND, [-1] * BATCH
            )
        self.read += events
        for frame in self.ingest.flush().frames.values():
            self.machine.apply(frame)


@pytest.mark.slow
def test_values_beyond_the_cap_leave_no_trace(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    sizes = []
    for _ in range(3):
        flow.feed(15_000)
        sizes.append(len(flow.machine.snapshot()))
    assert sizes[2] - sizes[1] < 15_000  # less than a byte a value
    [lane] = [
        lane for lane in flow.machine.lanes if "orders" in [m.name for m in lane.panel.metrics]
    ]
    customers = {
        segment
        for (metric, group, segment), _ in lane.panel.series.items()
        if lane.panel.metrics[metric].groupings[group] == ("customer",)
    }
    assert len(customers) == CAP + 1  # and `other`
