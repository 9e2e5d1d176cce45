"""What a source remembers of its events is bounded, whatever their dimensions hold."""

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.definitions import compile_plan, load
from monitor.ingest import combos, dimensions
from monitor.ingest.source import Ingest
from monitor.model.time import SECOND

START = 1_790_000_000
METRICS = """
metrics:
  - name: orders
    kind: count
    of: {event: order}
    segments: [country, version, [country, version]]
  - {name: buyers, kind: uniques, of: {event: order}, segments: [country]}
"""
MOST = 400
ROUND = 4 * MOST
MB = 1 << 20


@pytest.fixture
def _without_collector() -> Iterator[None]:
    """A role's collector looks every 50,000 objects, and at old ones hardly ever."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_without_collector")
def test_a_dimension_without_end_takes_no_memory_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (dimensions, combos):
        monkeypatch.setattr(module, "MOST", MOST)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "m.yaml").write_text(METRICS)
    (tmp_path / "monitor.yaml").write_text("source: {files: [none]}\n")
    plan = compile_plan(load(tmp_path, environment={}), shards=1)
    clock = lambda: (START + 100) * SECOND  # noqa: E731
    ingest = Ingest(plan, None, source=0, sources=1, name="0", clock=clock)
    line = b'{"name":"order","time":%d,"actor":"u","dimensions":{"country":"c%d","version":"8"}}'

    def held() -> int:
        """Bytes, after values that nobody has seen before."""
        first = ingest.position
        for at in range(first, first + ROUND, 100):
            ingest.add_many([line % (START, number) for number in range(at, at + 100)])
            ingest.flush()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        held()  # the last two generations of ids and units are kept
        few = held()
        many = max(held() for _ in range(4))
    finally:
        tracemalloc.stop()
    # Some 400 bytes a value: what 6,400 of them would take.
    assert many - few < 4 * ROUND * 400 / 10
