import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sizing import COSTS, need, power_of_two, table

SCALING = Path(__file__).parents[2] / "docs" / "scaling.md"
KEPT = json.loads(COSTS.read_text())


def test_the_page_holds_the_tables_that_the_kept_costs_give() -> None:
    page = SCALING.read_text()
    between = page.split("<!-- begin -->")[1].split("<!-- end -->")[0]
    assert between.strip() == table(KEPT).strip(), "run benchmarks/scale.py --table --write"


@given(
    load=st.integers(1_000, 1_000_000),
    series=st.integers(1_000, 1_000_000),
    factor=st.integers(1, 10),
)
def test_more_of_anything_never_needs_less(load: int, series: int, factor: int) -> None:
    less = need(load, series, KEPT)
    for more in (need(load * factor, series, KEPT), need(load, series * factor, KEPT)):
        assert all(more[name] >= less[name] for name in less)


def test_processes_leave_their_cores_idle_for_two_fifths() -> None:
    costs = dict.fromkeys(KEPT, 0.0) | {"ingest_cpu_per_event": 6e-6}
    it = need(200_000, 1_000, costs)  # 1.2 cores of work
    assert it["ingest"] == 2
    assert it["partitions"] == 4


@pytest.mark.parametrize(("least", "found"), [(0, 1), (1, 1), (3, 4), (4, 4), (4.1, 8)])
def test_the_next_power_of_two(least: float, found: int) -> None:
    assert power_of_two(least) == found
