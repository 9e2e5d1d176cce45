"""What cohorts may cost is known before anything comes."""

from monitor.aggregate.cohort_memory import cohort_memory
from monitor.model.time import DAY, HOUR, MINUTE
from tests.core.unit_worlds import cohort_metric


def test_memory_is_bounded_by_the_cohorts_that_wait_and_the_series() -> None:
    metric = cohort_metric("conversion", ["a", "b"], within_us=HOUR, width_us=MINUTE)
    one, two = cohort_memory(metric, 1), cohort_memory(metric, 51)
    assert one is not None
    assert two is not None
    assert one.cohorts == two.cohorts == 61
    assert one.bytes_per_start == 31
    assert two.bytes_at_most - one.bytes_at_most == 61 * 50 * 4096 * 31


def test_a_retention_waits_for_as_many_days_as_it_counts() -> None:
    metric = cohort_metric("retention", ["a", "b"], day=7, width_us=DAY, timezone="Europe/Berlin")
    found = cohort_memory(metric, 1)
    assert found is not None
    assert found.cohorts == 8


def test_a_funnel_remembers_when_each_start_reached_its_step() -> None:
    metric = cohort_metric("funnel", ["a", "b", "c"], within_us=HOUR, segments=[("x",)])
    found = cohort_memory(metric, 1)
    assert found is not None
    assert found.bytes_per_start == 21 + 8 + 2 * 10


def test_what_follows_no_units_has_none() -> None:
    assert cohort_memory(cohort_metric("count", ["a", "b"], cohort=None), 1) is None
