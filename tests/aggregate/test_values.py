"""Measures to values: quantiles of histograms, ranks, and the arithmetic of derived metrics."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from monitor.aggregate.sketches import EMPTY, added, slots_of
from monitor.aggregate.values import Read, Values
from monitor.definitions.formula import parse
from monitor.definitions.plan import Form, Law, Measure, MetricPlan, own_reading
from monitor.model.table import Column, Table
from monitor.stats.histogram import bins
from tests.aggregate.test_panel import metric
from tests.aggregate.test_sketches import raw

QUANTILE = (
    Measure(name="quantile", event="r", value="ms", form=Form.QUANTILE, q=0.9),
    Measure(name="count", event="r", needs="ms"),
)


def values_of(*metrics: MetricPlan, rows: tuple[int, ...] = (0,)) -> Values:
    """Values of rows that belong to these metrics."""
    table = Table({"metric": Column(dtype="i8"), "total": Column(dtype="?")})
    table.append(len(rows))
    table["metric"] = np.array(rows)
    table["total"] = np.array([m >= 0 and metrics[m].is_total for m in rows])
    return Values(metrics, table)


def p90(q: float = 0.9) -> MetricPlan:
    measures = (replace(QUANTILE[0], q=q), QUANTILE[1])
    return replace(metric("p", measures=measures, kind="quantile"), law=Law.QUANTILE)


@given(
    sample=st.lists(st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6), min_size=1, max_size=60),
    q=st.sampled_from([0.01, 0.1, 0.5, 0.9, 0.99]),
)  # fmt: skip
def test_a_quantile_is_inside_the_bin_of_the_order_statistic(sample: list[float], q: float) -> None:
    values = values_of(p90(q), rows=(0, 0))
    keys = bins(np.array(sample))
    sketch = added([raw([(1, 0, key, 1) for key in keys.tolist()])])
    found = values.forms.measured(np.arange(2), np.zeros((2, 2)), sketch)[:, 0]
    assert np.isnan(found[0])
    place = int(np.ceil(round(q * len(sample), 9))) - 1
    exact = sorted(sample)[place]
    assert found[1] == pytest.approx(exact, rel=1 / 64, abs=1e-12)


def test_ranks_are_counted_so_that_no_bet_gains() -> None:
    values = values_of(p90())
    keys = bins(np.array([100.0, 150.0, 200.0, 0.0])).tolist()
    sketch = added([raw([(0, 0, key, 10) for key in keys])])
    at = np.array([[151.0, 151.0, 151.0]])
    part, whole, reached = values.forms.above(np.array([0]), sketch, at)[0].tolist()
    assert (whole, reached) == (10, 20)  # 151 lies in the bin of 150
    assert 10 < part < 20
    unknown = values.forms.above(np.array([0]), sketch, np.full((1, 3), np.nan))[0]
    assert np.isnan(unknown[0])
    assert values.forms.above(np.array([0]), EMPTY, at)[0].tolist() == [0, 0, 0]


def derived(formula: str) -> MetricPlan:
    """Over a count a, a mean m, a quantile p and uniques u."""
    measures = (
        Measure(name="a.count", event="a"),
        Measure(name="m.sum", event="b", value="v"),
        Measure(name="m.count", event="b", needs="v"),
        *(replace(m, name=f"p.{m.name}") for m in QUANTILE),
        Measure(name="u.uniques", event="c", form=Form.UNIQUES, unit="actor"),
    )
    inputs = (
        own_reading("a", "count", 0),
        own_reading("m", "mean", 1),
        own_reading("p", "quantile", 3),
        own_reading("u", "uniques", 5),
    )
    plan = metric("d", measures=measures, kind="derived")
    return replace(plan, law=Law.NORMAL_MEAN, inputs=inputs, tree=parse(formula).tree)


def read(formula: str, *row: float, active: bool = True) -> tuple[float | None, float]:
    out: Read = values_of(derived(formula)).read(np.arange(1), np.array([row]), active=active)
    value, n = float(out.value[0]), float(out.n[0])
    assert bool(out.observed[0]) == (n > 0)
    assert out.x[0] == (value * n if n > 0 else 0)
    return None if np.isnan(value) else value, n


FULL = (6.0, 40.0, 10.0, 95.0, 30.0, 3.0)
NOTHING = (0.0, 0.0, 0.0, float("nan"), 0.0, 0.0)


@pytest.mark.parametrize(
    ("formula", "row", "value", "n"),
    [
        ("a / u", FULL, 2.0, 3.0),
        ("a / 2", FULL, 3.0, 6.0),
        ("2 / a", FULL, 1 / 3, 6.0),
        ("a + u", FULL, 9.0, 3.0),
        ("a - m * u", FULL, -6.0, 3.0),
        ("p / m", FULL, 23.75, 10.0),
        ("a * 0", FULL, 0.0, 6.0),
        ("-a", FULL, -6.0, 6.0),
        ("a / (u - 3)", FULL, None, 0.0),
        ("a / u", NOTHING, None, 0.0),
        ("a + u", NOTHING, 0.0, 0.0),
        ("a + p", NOTHING, None, 0.0),
        ("a * m", (6.0, 0.0, 0.0, 1.0, 1.0, 1.0), None, 0.0),
        ("a - u", (6.0, 0.0, 0.0, 1.0, 1.0, 0.0), 6.0, 6.0),
        ("a * a * a", (1e200, 0.0, 0.0, 1.0, 1.0, 0.0), None, 0.0),
    ],
)
def test_derived(formula: str, row: tuple[float, ...], value: float | None, n: float) -> None:
    found, units = read(formula, *row)
    assert found == (None if value is None else pytest.approx(value))
    assert units == n


def test_where_nothing_arrives_totals_are_unknown() -> None:
    assert read("a + u", *NOTHING, active=False) == (None, 0.0)
    assert read("a + u", *FULL, active=False) == (9.0, 3.0)


def test_rows_that_wait_for_a_series_have_no_window_and_no_units() -> None:
    values = values_of(metric("c"), rows=(0, -1))
    assert values.window_us(np.arange(2)).tolist()[1] == 0
    assert not values.forms.of_units(slots_of(np.array([1]), np.array([0]))).any()
