"""How much of a shift the measurement accounts for, by kind and direction."""

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from monitor.definitions.plan import Form, Measure, MetricPlan
from monitor.diagnose.measurement import account, is_moved
from monitor.model.quality import Account, Seen, Share
from tests.alert.test_lifecycle import PLAN
from tests.core.unit_worlds import cohort_metric


def share(value: float, usual: float = 0.0) -> Share:
    return Share(value=value, usual=usual, beyond=True)


def metric(kind: str, *measures: Measure, **changes: Any) -> MetricPlan:
    return replace(PLAN, kind=kind, measures=measures, **changes)


PAID = (("status", "in", ("paid",)),)
COUNT = metric("count", Measure(name="count", event="order"))
FILTERED = metric("count", Measure(name="count", event="order", where=PAID))
SUM = metric(
    "sum",
    Measure(name="sum", event="order", value="amount"),
    Measure(name="count", event="order", needs="amount"),
)
MEAN = replace(SUM, kind="mean")
UNIQUES = metric("uniques", Measure(name="u", event="order", form=Form.UNIQUES, unit="actor"))
QUANTILE = metric(
    "quantile",
    Measure(name="q", event="order", value="amount", form=Form.QUANTILE, q=0.9),
    Measure(name="count", event="order", needs="amount"),
)
SHARE = metric(
    "ratio",
    Measure(name="numerator", event="order", where=PAID),
    Measure(name="denominator", event="order"),
)
PER_VIEW = metric(
    "ratio", Measure(name="numerator", event="order"), Measure(name="denominator", event="view")
)
CONVERSION = cohort_metric("conversion", ["signup", "order"], within_us=60_000_000)
FUNNEL = cohort_metric("funnel", ["view", "cart", "order"], within_us=60_000_000)


def told(plan: MetricPlan, shift: float, event: str = "order", **seen: Any) -> Account | None:
    return account(plan, (), "all", shift, {event: Seen(**seen)})


@pytest.mark.parametrize(
    ("plan", "shift", "seen", "effect"),
    [
        (COUNT, 0.25, {"repeated": share(0.2)}, 0.25),
        (COUNT, 0.25, {"repeated": share(0.28, usual=0.1)}, 0.25),
        (SUM, 0.25, {"repeated": share(0.2)}, 0.25),
        (COUNT, -0.3, {"malformed": share(0.3)}, -0.3),
        (COUNT, -0.3, {"lost": share(0.3)}, -0.3),
        (COUNT, -0.51, {"lost": share(0.3), "malformed": share(0.3)}, -0.51),
        (FILTERED, -0.3, {"missing": {"status": share(0.3)}}, -0.3),
        (SUM, -0.3, {"missing": {"amount": share(0.3)}}, -0.3),
        (UNIQUES, -0.3, {"missing": {"actor": share(0.3)}}, -0.3),
        (UNIQUES, -0.3, {"malformed": share(0.3)}, -0.3),
        (SHARE, -0.3, {"missing": {"status": share(0.3)}}, -0.3),
        (PER_VIEW, -0.3, {"malformed": share(0.3)}, -3 / 7),  # the most it can be
        (CONVERSION, -0.3, {"malformed": share(0.3)}, -0.3),
        (CONVERSION, -0.3, {"missing": {"actor": share(0.3)}}, -0.3),
        (FUNNEL, -0.3, {"malformed": share(0.3)}, -0.3),
        (MEAN, 0.1, {"malformed": share(0.2)}, 0.25),
        (QUANTILE, -0.1, {"missing": {"amount": share(0.2)}}, -0.25),
    ],
)
def test_what_the_measurement_accounts_for(
    plan: MetricPlan, shift: float, seen: dict[str, Any], effect: float
) -> None:
    found = told(plan, shift, **seen)
    assert found is not None
    assert found.effect == pytest.approx(effect)
    assert is_moved(found)
    assert found.causes


@pytest.mark.parametrize(
    ("plan", "shift", "seen"),
    [
        (COUNT, -0.3, {"repeated": share(0.2)}),  # repeats make no fall
        (COUNT, 0.3, {"malformed": share(0.3)}),  # what is lost makes no rise
        (COUNT, -0.3, {"missing": {"status": share(0.3)}}),  # it needs no status
        (UNIQUES, 0.25, {"repeated": share(0.2)}),
        (CONVERSION, 0.25, {"repeated": share(0.2)}),
        (FUNNEL, -0.25, {"repeated": share(0.2)}),
        (SHARE, 0.3, {"missing": {"status": share(0.3)}}),
        (COUNT, -0.3, {"late": share(0.9)}),  # lateness is in the restated value
        (MEAN, -0.3, {"late": share(0.9)}),
        (COUNT, float("nan"), {"malformed": share(0.3)}),
    ],
)
def test_what_it_cannot_account_for(plan: MetricPlan, shift: float, seen: dict[str, Any]) -> None:
    assert told(plan, shift, **seen) is None


@pytest.mark.parametrize(
    ("plan", "shift", "seen"),
    [
        (COUNT, -0.5, {"malformed": share(0.03)}),
        (COUNT, -0.65, {"malformed": share(0.3)}),  # two thirds of it on the log scale are real
        (SHARE, -0.5, {"malformed": share(0.1)}),
        (MEAN, 0.5, {"repeated": share(0.1)}),
    ],
)
def test_less_than_half_is_not_enough(plan: MetricPlan, shift: float, seen: dict[str, Any]) -> None:
    found = told(plan, shift, **seen)
    assert found is not None
    assert not is_moved(found)


def test_shares_within_chance_do_not_count() -> None:
    wobble = Share(value=0.3, usual=0.0, beyond=False)
    assert told(COUNT, -0.3, malformed=wobble) is None


def test_a_dimension_is_needed_by_the_segments_alone() -> None:
    seen = {"order": Seen(missing={"country": share(0.3)})}
    assert account(COUNT, (), "all", -0.3, seen) is None
    found = account(COUNT, ("country",), "DE", -0.3, seen)
    assert found is not None
    assert is_moved(found)


def test_lines_of_a_start_move_a_conversion_either_way_by_a_bound() -> None:
    for shift in (-0.2, 0.2):
        found = told(CONVERSION, shift, event="signup", malformed=share(0.2))
        assert found is not None
        assert found.bound
        assert abs(found.effect) == pytest.approx(0.25)


@pytest.mark.parametrize(("step", "reaches"), [("view", False), ("cart", False), ("order", True)])
def test_a_step_of_a_funnel_is_touched_by_the_steps_before_it(step: str, reaches: bool) -> None:
    seen = {"order": Seen(malformed=share(0.3))}
    assert is_moved(account(FUNNEL, ("step",), step, -0.3, seen)) is reaches


@given(
    shift=st.floats(-0.99, 5).filter(lambda s: abs(s) > 0.01),
    shares=st.lists(st.floats(0.0, 0.95), min_size=4, max_size=4),
    plan=st.sampled_from(
        [COUNT, SUM, MEAN, UNIQUES, QUANTILE, SHARE, PER_VIEW, CONVERSION, FUNNEL]
    ),
)
def test_what_is_accounted_for_lies_in_the_direction_of_the_shift(
    shift: float, shares: list[float], plan: MetricPlan
) -> None:
    repeated, malformed, lost, missing = (share(one) for one in shares)
    found = told(
        plan,
        shift,
        repeated=repeated,
        malformed=malformed,
        lost=lost,
        missing={"status": missing, "amount": missing, "actor": missing},
    )
    if found is not None:
        assert found.effect * shift > 0
        assert found.explained > 0


@pytest.mark.parametrize(
    ("shift", "seen", "part", "effect", "moved"),
    [
        (0.8, {"repeated": share(0.2)}, 0.3, 0.25 / 0.3, True),
        (0.8, {"repeated": share(0.2)}, 0.1, 0.25, False),  # less than half of the repeats
        (0.25, {"repeated": share(0.2)}, 1.0, 0.25, True),
        (-0.5, {"malformed": share(0.15)}, 0.3, -0.5, True),
        (-1.0, {"malformed": share(0.3)}, 0.25, -0.999, True),
        (-0.5, {"malformed": share(0.15)}, 0.1, -0.15, False),
    ],
)
def test_affected_lines_may_all_be_of_a_segment_that_has_room_for_half_of_them(
    shift: float, seen: dict[str, Any], part: float, effect: float, moved: bool
) -> None:
    found = account(COUNT, ("country",), "DE", shift, {"order": Seen(**seen)}, part=part)
    assert found is not None
    assert found.effect == pytest.approx(effect)
    assert is_moved(found) is moved
    assert found.bound is (moved and part < 1)
