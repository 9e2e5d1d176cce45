"""What a machine did not keep apart, or did not apply, reaches the service's counters."""

from dataclasses import replace

from prometheus_client import CollectorRegistry

from monitor.core.machine import Machine
from monitor.core.tally import SKIPPED, tally
from monitor.model.time import HOUR, SECOND
from monitor.telemetry import Counters
from tests.core.test_cohorts import CONVERSION, START
from tests.core.unit_worlds import Event, frames_of, plan_of


def test_counters_follow_what_was_folded_and_what_no_cohort_counts() -> None:
    plan = plan_of(CONVERSION, cardinality=1)
    read = [Event(START + i * SECOND // 4, "signup", "robot") for i in range(100)]
    countries = [{"country": country} for country in ("DE", "FR", "IT")]
    read += [Event(START + 30 * SECOND, "signup", "a", country) for country in countries]
    read.append(Event(START + HOUR, "view", None))
    machine, registry = Machine(plan), CollectorRegistry()
    counters = Counters(registry)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    reason = {"reason": "too_many_starts"}
    assert value("monitor_unit_events_set_aside_total", **reason) == 0
    before = tally(machine)
    for frame in frames_of(plan, read, [50, 103]):
        machine.apply(frame)
        before, after = tally(machine), before
        counters.grew(after, before)
    assert before["folded", "country"] == value("monitor_folded_values_total", dimension="country")
    assert before["folded", "country"] == 2
    assert not any(name == SKIPPED for name, _ in before)
    assert value("monitor_unit_events_set_aside_total", **reason) == 100 - 64


def test_what_was_measured_by_other_definitions_is_told_by_metric() -> None:
    plan = plan_of(CONVERSION)
    read = [Event(START + i * SECOND, "signup", f"u{i}") for i in range(10)]
    frames = frames_of(plan, read, [10])
    other = Machine(plan_of(replace(CONVERSION, formula="another")))
    for frame in frames:
        other.apply(frame)
    assert tally(other)[SKIPPED, CONVERSION.name] > 0
