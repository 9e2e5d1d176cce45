"""What fires again shortly after it resolved is the same incident."""

from typing import Any

import numpy as np
import pytest

from monitor.alert.ended import JOIN_BUCKETS
from monitor.alert.lifecycle import Incidents
from monitor.guard import Guard
from monitor.model.incident import IncidentChanged, IncidentFaded
from monitor.model.release import Release, Status
from monitor.model.tick import Reason
from monitor.model.time import DAY, HOUR, MINUTE
from tests.alert.test_lifecycle import WHOLE, judged, only, step
from tests.contracts.flow import draw_counts, make_expectation, make_traits, observe


def fire(incidents: Incidents, minute: int, **changes: Any) -> list[Any]:
    fields = {"open": True, "reason": Reason.SHIFT, "log_m": 12.0, **changes}
    return step(incidents, minute, **{"start_us": (minute - 3) * MINUTE, **fields})


def resolve(incidents: Incidents, minute: int, reason: Reason = Reason.RECOVERED) -> list[Any]:
    return step(incidents, minute, closed=True, reason=reason)


def test_it_keeps_id_and_start_and_has_figures_of_its_own() -> None:
    incidents = Incidents()
    first = only(fire(incidents, 10))
    resolve(incidents, 30)
    again = only(fire(incidents, 60, sum_x=20.0, log_m=14.0))
    assert (again.alert_id, again.started_at) == (first.alert_id, first.started_at)
    assert (again.state, again.resolved_at) == ("firing", None)
    assert again.detected_at == "1970-01-01T01:00:00Z"
    assert (first.relative_shift, again.relative_shift) == (-0.4, -0.8)
    assert again.evidence > first.evidence
    assert "fell by 80 % since 00:57" in again.summary
    assert (
        "Fired again: it began at 00:07 UTC on 1970-01-01, has fired once before, and resolved at "
        "00:30 UTC on 1970-01-01."
    ) in again.summary
    (update,) = fire(incidents, 61)
    assert update.incident.alert_id == first.alert_id
    assert "Fired again" in update.incident.summary
    ended = only(resolve(incidents, 80))
    assert (ended.alert_id, ended.started_at) == (first.alert_id, first.started_at)
    assert "1 h 13 min after the shift began" in ended.summary
    third = only(fire(incidents, 100))
    assert third.alert_id == first.alert_id
    assert "has fired 2 times before, and resolved at 01:20" in third.summary


def test_what_was_pending_under_its_own_id_is_forgotten() -> None:
    incidents = Incidents()
    first = only(fire(incidents, 10))
    resolve(incidents, 30)
    pending = only(step(incidents, 40, pending=True, log_m=6.0))
    assert pending.alert_id != first.alert_id, "it may fade: what has resolved must stay"
    faded, change = fire(incidents, 42)
    assert faded == IncidentFaded(alert_id=pending.alert_id)
    assert change.incident.alert_id == first.alert_id


@pytest.mark.parametrize(
    ("reason", "after", "changes", "joins"),
    [
        (Reason.RECOVERED, 60, {}, True),
        (Reason.DATA_RETURNED, 60, {}, True),
        (Reason.RECOVERED, 61, {}, False),
        (Reason.RECOVERED, 6 * 60, {}, False),
        (Reason.NEW_NORMAL, 10, {}, False),
        (Reason.RECOVERED, 10, {"direction": 1}, False),
        (Reason.RECOVERED, 10, {"reason": Reason.SILENT}, False),
    ],
)
def test_it_joins_soon_in_the_same_direction_and_under_the_same_labels(
    reason: Reason, after: int, changes: dict[str, Any], *, joins: bool
) -> None:
    incidents = Incidents()
    first = only(fire(incidents, 10))
    resolve(incidents, 30, reason)
    for minute in range(31, 30 + after):
        assert step(incidents, minute) == []
    again = only(fire(incidents, 30 + after, **changes))
    assert (again.alert_id == first.alert_id) == joins
    assert ("Fired again" in again.summary) == joins


def test_long_buckets_have_a_few_of_them() -> None:
    def day(number: int, **changes: Any) -> Any:
        one = judged(number * DAY // MINUTE, start_us=(number - 1) * DAY, **changes)
        fields = {name: getattr(one, name) for name in one.__dataclass_fields__}
        return type(one)(**{**fields, "width_us": DAY})

    for gap in (JOIN_BUCKETS, JOIN_BUCKETS + 1):
        incidents = Incidents()
        (first,) = incidents.update(day(3, open=True, reason=Reason.SHIFT), WHOLE, {})
        incidents.update(day(5, closed=True, reason=Reason.RECOVERED), WHOLE, {})
        (again,) = incidents.update(day(5 + gap, open=True, reason=Reason.SHIFT), WHOLE, {})
        assert isinstance(first, IncidentChanged)
        assert isinstance(again, IncidentChanged)
        joined = again.incident.alert_id == first.incident.alert_id
        assert joined == (gap == JOIN_BUCKETS)


def test_a_retired_series_does_not_hand_its_incident_on() -> None:
    incidents = Incidents()
    first = only(fire(incidents, 10))
    resolve(incidents, 30)
    incidents.drop([0], None, Reason.SERIES_RETIRED)
    assert only(fire(incidents, 40)).alert_id != first.alert_id


def story(cut: int | None, starts: tuple[int, ...], length: int) -> list[Any]:
    """A count that loses half of itself at these minutes, through the guard; state is saved at `cut`."""
    rng, guard, incidents = np.random.default_rng(3), Guard(bucket_us=MINUTE), Incidents()
    guard.append(1)
    traits, expected = make_traits(1), make_expectation(1, phi=2.0)
    told: list[Any] = []
    for k in range(max(starts) + 90):
        low = any(start <= k < start + length for start in starts)
        seen = observe(k, draw_counts(rng, 500.0 if low else 1000.0, 2.0, 1))
        decision = guard.step(seen, expected, traits)
        one = judged(0)
        fields = {name: getattr(one, name) for name in one.__dataclass_fields__}
        fields |= {"end_us": seen.end_us, "known_us": seen.end_us, "decision": decision}
        fields |= {"traits": traits, "expectation": expected}
        told += incidents.update(type(one)(**fields), WHOLE, {})
        if k == cut:
            state, incidents = incidents.dump(), Incidents()
            incidents.load(state)
    return told


def fired(told: list[Any]) -> list[str]:
    return [c.incident.alert_id for c in told if isinstance(c, IncidentChanged) and c.transition
            and c.incident.state == "firing"]  # fmt: skip


def test_a_flapping_series_is_one_incident_and_two_faults_six_hours_apart_are_two() -> None:
    flapping = fired(story(None, (30, 70, 110, 150), 12))
    assert len(flapping) == 4
    assert len(set(flapping)) == 1
    apart = fired(story(None, (30, 30 + 6 * HOUR // MINUTE), 12))
    assert len(apart) == len(set(apart)) == 2


def test_a_flapping_story_is_the_same_wherever_its_state_is_saved() -> None:
    whole = story(None, (30, 70), 12)
    for cut in range(28, 100, 3):
        assert story(cut, (30, 70), 12) == whole, cut


def test_the_release_is_the_one_before_the_first_start() -> None:
    def told(incidents: Incidents, minute: int, **changes: Any) -> list[Any]:
        one = judged(minute, start_us=(minute - 3) * MINUTE, **changes)
        fields = {name: getattr(one, name) for name in one.__dataclass_fields__}
        releases = (release("early", 5), release("late", 45))
        return list(incidents.update(type(one)(**{**fields, "releases": releases}), WHOLE, {}))

    incidents = Incidents()
    first = only(told(incidents, 10, open=True, reason=Reason.SHIFT, log_m=12.0))
    told(incidents, 30, closed=True, reason=Reason.RECOVERED)
    again = only(told(incidents, 60, open=True, reason=Reason.SHIFT, log_m=12.0))
    assert first.release is not None
    assert again.release == first.release


def release(name: str, minute: int) -> Release:
    return Release(
        id=name, service="shop", environment="production", version=name, status=Status.SUCCEEDED,
        started_us=minute * MINUTE,
    )  # fmt: skip
