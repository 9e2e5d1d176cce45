"""Which series an incident is looked for in, over which buckets, and which metrics have a mix."""

from dataclasses import replace

import numpy as np
import pytest

from monitor.definitions.plan import Form, Law, Reading, Role
from monitor.diagnose import Scope, has_rate, scope_of
from monitor.diagnose.scope import E, M, N, X
from monitor.guard import Guard
from monitor.model.tick import Decision
from monitor.model.time import MINUTE
from tests.contracts.flow import MEAN, make_expectation, make_traits, observe
from tests.embedded.plans import metric_plan

GROUPS = np.array([0, 1, 1, 2, 3, 3])
PARENT = [-1, 0, 0, 0, 0, 0]
COVERS = [[-1, -1]] * 4 + [[1, 3], [2, 3]]
PLAN = metric_plan("m", groupings=((), ("country",), ("platform",), ("country", "platform")))
USUAL = np.array([1000.0, 600, 400, 1000, 600, 400])
FALLEN = np.array([700.0, 300, 400, 700, 300, 400])


def follow(buckets: list[np.ndarray]) -> tuple[list[Decision], Guard]:
    traits = make_traits(6, parent=PARENT, covers=COVERS, log_threshold=np.log(1000.0))
    expected = make_expectation(6, level=USUAL, units=USUAL)
    guard = Guard(bucket_us=MINUTE)
    guard.append(6)
    decisions = [guard.step(observe(k, x), expected, traits) for k, x in enumerate(buckets)]
    return decisions, guard


def scope(row: int, decision: Decision, end: int) -> Scope:
    traits = make_traits(6, parent=PARENT, covers=COVERS)
    return scope_of(
        row,
        plan=PLAN,
        group=GROUPS,
        decision=decision,
        expectation=make_expectation(6, level=USUAL, units=USUAL),
        traits=traits,
        bucket=(observe(end - 1, USUAL).end_us, MINUTE),
    )


def test_segments_are_summed_over_the_buckets_of_their_whole() -> None:
    decisions, _ = follow([USUAL] * 5 + [FALLEN] * 6)
    first = next(i for i, d in enumerate(decisions) if d.open[0])
    for i in range(first, len(decisions)):
        found = scope(0, decisions[i], i + 1)
        buckets = round(float(found.buckets[0]))
        assert found.sums[0, X] == decisions[i].sum_x[0]
        assert found.sums[0, M] == decisions[i].sum_expected[0]
        assert found.sums[:, M] == pytest.approx(buckets * USUAL)
        assert found.sums[:, N] == pytest.approx(found.sums[:, X])
        assert found.sums[:, X] == pytest.approx(buckets * FALLEN)


def test_the_sums_survive_a_snapshot() -> None:
    buckets = [USUAL] * 5 + [FALLEN] * 6
    straight, _ = follow(buckets)
    _, guard = follow(buckets[:6])
    again = Guard(bucket_us=MINUTE)
    again.load(guard.dump())
    traits = make_traits(6, parent=PARENT, covers=COVERS, log_threshold=np.log(1000.0))
    expected = make_expectation(6, level=USUAL, units=USUAL)
    later = [again.step(observe(k, buckets[k]), expected, traits) for k in range(6, len(buckets))]
    np.testing.assert_array_equal(later[-1].family, straight[-1].family)


def test_an_expected_share_follows_what_has_become_usual() -> None:
    """The profile of units says 600 and 400; for a week 500 and 500 have come."""
    now = np.array([1000.0, 500, 500, 1000, 500, 500])
    traits = make_traits(6, MEAN, parent=PARENT, covers=COVERS, log_threshold=np.log(1000.0))
    expected = make_expectation(6, level=1.0, units=USUAL)
    guard, decisions = Guard(bucket_us=60 * MINUTE), []
    guard.append(6)
    for k in range(300):
        seen = observe(k, now * (1.0 if k < 296 else 0.5), now, width=60 * MINUTE)
        decisions.append(guard.step(seen, expected, traits))
    assert decisions[-1].open[0]
    sums = decisions[-1].family
    assert sums is not None
    share = sums[1:3, E] / sums[0, E]
    assert share == pytest.approx([0.5, 0.5], abs=0.01)


def test_a_whole_has_all_segments_and_a_segment_what_overlaps_it() -> None:
    decisions, _ = follow([USUAL] * 5 + [FALLEN] * 6)
    assert scope(0, decisions[-1], 11).rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert scope(1, decisions[-1], 11).rows.tolist() == [1, 3, 4], "not the other country"
    assert scope(4, decisions[-1], 11).rows.tolist() == [4, 1, 3], "what holds it"


def test_which_metrics_have_a_rate_and_a_weight() -> None:
    assert has_rate(metric_plan("r", "ratio"))
    assert not has_rate(metric_plan("c"))
    quantile = replace(metric_plan("q", "ratio"), kind="quantile", law=Law.QUANTILE)
    assert not has_rate(quantile)


@pytest.mark.parametrize(
    ("tree", "form", "rate"),
    [
        (("/", "a", "b"), Form.SUM, True),
        (("/", "a", "b"), Form.UNIQUES, False),
        (("-", "a", "b"), Form.SUM, False),
        (("/", "a", 2.0), Form.SUM, False),
        ("a", Form.SUM, False),
    ],
)
def test_a_derived_metric_has_one_where_it_is_a_sum_over_a_count(
    tree: object, form: Form, rate: bool
) -> None:
    plan = metric_plan("d", "ratio", derived_from=("a", "b"))
    plan = replace(
        plan,
        kind="derived",
        tree=tree,  # type: ignore[arg-type]
        measures=tuple(replace(m, form=form) for m in plan.measures),
        inputs=tuple(
            Reading(metric=name, role=Role.TOTAL, x=i, n=i) for i, name in enumerate(("a", "b"))
        ),
    )
    assert has_rate(plan) is rate
