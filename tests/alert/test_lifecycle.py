"""The life of an incident: pending without a word, firing, resolved, and its id."""

from typing import Any

import numpy as np
import pytest

from monitor.alert import text
from monitor.alert.identity import Identity
from monitor.alert.judged import Context, Judged
from monitor.alert.lifecycle import Incidents
from monitor.definitions.plan import Calendar, Law, MetricPlan
from monitor.model.incident import Incident, IncidentChanged, IncidentFaded, IncidentState
from monitor.model.tick import Decision, Expectation, Reason, State, Traits
from monitor.model.time import DAY, MINUTE

PLAN = MetricPlan(
    name="orders",
    kind="count",
    measures=(),
    groupings=((), ("country",)),
    calendar=Calendar(width_us=MINUTE),
    window_us=MINUTE,
    season_timezone="UTC",
    law=Law.NEGATIVE_BINOMIAL,
    severity="page",
    direction="both",
    min_relative_shift=0.02,
    min_units=10,
    no_data="alert",
    accept_after_us=DAY,
    log_threshold=(10.0, 12.0),
    formula="f",
    owner="shop@example.com",
    runbook_url="https://runbooks.example.com/orders",
    unit_name="orders",
)
WHOLE = {0: Identity(plan=PLAN, dimension="all", segment="all")}


def judged(minute: int, **changes: Any) -> Judged:
    """One row's bucket that ends at this minute."""
    one = np.ones(1)
    fields: dict[str, Any] = {
        "state": State.OK, "reason": Reason.WITHIN_BAND, "log_m": 0.0, "direction": -1,
        "start_us": 0, "sum_x": 60.0, "sum_expected": 100.0, "sum_n": 60.0, "sum_variance": 100.0,
        "lower": 0.0, "upper": 0.0, "opened": False, "closed": False, "pending": False,
        "open": False, **changes,
    }  # fmt: skip
    decision = Decision(**{name: np.array([value]) for name, value in fields.items()})
    expectation = Expectation(
        level=100 * one, units=100 * one, phi=one, sd_level=0.01 * one,
        ready=one > 0, learning_us=np.zeros(1, np.int64),
    )  # fmt: skip
    zero = np.zeros(1)
    traits = Traits(
        law=zero.astype(np.int8), total=one > 0, log_threshold=10 * one, min_relative_shift=zero,
        min_units=zero, tail=zero, up=one > 0, down=one > 0, page_no_data=one > 0,
        accept_after_us=zero.astype(np.int64), parent=np.array([-1]),
        covers=np.empty((1, 0), np.int64), timezone=zero,
    )  # fmt: skip
    return Judged(
        end_us=minute * MINUTE,
        width_us=MINUTE,
        known_us=minute * MINUTE,
        traits=traits,
        expectation=expectation,
        decision=decision,
    )


def step(incidents: Incidents, minute: int, **changes: Any) -> list[Any]:
    return list(incidents.update(judged(minute, **changes), WHOLE, {}))


def only(changes: list[Any]) -> Incident:
    (change,) = changes
    assert isinstance(change, IncidentChanged)
    assert change.transition
    return change.incident


def test_a_pending_incident_that_fades_is_forgotten_without_a_line() -> None:
    incidents = Incidents()
    pending = only(step(incidents, 1, pending=True, log_m=6.0))
    assert pending.state == IncidentState.PENDING
    assert step(incidents, 2, pending=True, log_m=6.0) == [], "nothing new to say"
    assert step(incidents, 3) == [IncidentFaded(alert_id=pending.alert_id)]
    assert step(incidents, 4) == []


def test_pending_firing_and_resolved_are_one_incident() -> None:
    incidents = Incidents()
    first = only(step(incidents, 1, pending=True, log_m=6.0))
    fired = only(step(incidents, 2, open=True, opened=True, reason=Reason.SHIFT, log_m=12.0))
    (update,) = step(incidents, 3, open=True, reason=Reason.SHIFT, log_m=14.0)
    ended = only(step(incidents, 9, closed=True, reason=Reason.RECOVERED))
    assert [i.state for i in (first, fired, ended)] == ["pending", "firing", "resolved"]
    assert len({first.alert_id, fired.alert_id, update.incident.alert_id, ended.alert_id}) == 1
    assert not update.transition
    assert update.incident.detected_at == fired.detected_at == "1970-01-01T00:02:00Z"
    assert (ended.resolved_at, ended.reason) == ("1970-01-01T00:09:00Z", "recovered")
    assert ended.labels == fired.labels


def test_what_has_faded_is_a_ticket_that_says_so_and_stays_one() -> None:
    incidents = Incidents()
    fired = only(step(incidents, 2, open=True, opened=True, reason=Reason.SHIFT, faded=0.03))
    assert fired.severity == fired.labels["severity"] == "ticket"
    assert "A ticket and no page: its last days held 3.0 % of the units" in fired.summary
    (update,) = step(incidents, 3, open=True, reason=Reason.SHIFT, faded=np.nan)
    assert update.incident.severity == "ticket"
    other = Incidents()
    paged = only(step(other, 2, open=True, opened=True, reason=Reason.SHIFT, faded=np.nan))
    assert paged.severity == "page"
    assert "no page" not in paged.summary


def test_the_direction_of_a_pending_incident_may_turn_and_is_then_another_one() -> None:
    incidents = Incidents()
    down = only(step(incidents, 1, pending=True, direction=-1))
    faded, change = step(incidents, 2, pending=True, direction=1)
    assert faded == IncidentFaded(alert_id=down.alert_id)
    assert change.incident.direction == "up"
    assert change.incident.alert_id != down.alert_id


def test_the_summary_says_what_moved_then_evidence_where_and_owner() -> None:
    incidents = Incidents()
    segments = [
        {
            "dimension": "country",
            "segment": "DE",
            "relative_shift": -0.8,
            "n": 9.0,
            "share": 0.9,
            "confidence": "medium",
        },
    ]
    changes = incidents.update(
        judged(2, open=True, reason=Reason.SHIFT, log_m=16.0),
        WHOLE,
        {0: Context(segments=segments)},
    )
    assert only(list(changes)).summary == (
        "orders fell by 40 % since 00:00 UTC on 1970-01-01: 30 orders against 50 orders expected "
        "(95 % interval -60 % to -20 %, n = 60). "
        "Evidence: 8.9 million to 1 against noise, high confidence (a page needs 22 thousand to 1); "
        "found at 00:02 UTC on 1970-01-01. "
        "Where: most of it in country=DE (-80 %, n = 9), medium confidence. "
        "Owner: shop@example.com. Runbook: https://runbooks.example.com/orders"
    )


@pytest.mark.parametrize(
    ("reason", "alertname", "first_words"),
    [
        (Reason.SHIFT, "MetricShift", "orders fell by 40 %"),
        (Reason.SILENT, "MetricSilent", "orders: no data any more since"),
        (Reason.NO_DATA, "MetricSilent", "orders: no data since"),
    ],
)
def test_labels_and_words_follow_the_reason(
    reason: Reason, alertname: str, first_words: str
) -> None:
    fired = only(step(Incidents(), 1, open=True, reason=reason, log_m=12.0))
    assert fired.labels == {
        "alertname": alertname, "metric": "orders", "dimension": "all", "segment": "all",
        "direction": "down", "severity": "page", "owner": "shop@example.com",
    }  # fmt: skip
    assert fired.summary.startswith(first_words)


def test_undefined_figures_are_null_and_no_crash() -> None:
    undefined = {"sum_x": 0.0, "sum_expected": np.nan, "sum_n": 0.0, "log_m": -np.inf}
    fired = only(step(Incidents(), 1, open=True, reason=Reason.NO_DATA, **undefined))
    assert (fired.value, fired.relative_shift, fired.interval, fired.n) == (None, None, None, 0.0)
    assert fired.expected == 100.0


def test_the_evidence_that_fired_stays_while_the_incident_ends() -> None:
    incidents = Incidents()
    step(incidents, 1, open=True, reason=Reason.SHIFT, log_m=16.0)
    (update,) = step(incidents, 2, open=True, reason=Reason.SHIFT, log_m=1.0)
    assert update.incident.evidence == pytest.approx(16.0 / 2.302585, rel=1e-6)
    assert "8.9 million to 1" in update.incident.summary


def test_an_incident_of_no_data_has_an_expectation_and_no_value() -> None:
    fired = only(step(Incidents(), 1, open=True, reason=Reason.NO_DATA, log_m=12.0))
    assert (fired.value, fired.relative_shift, fired.expected) == (None, None, 100.0)


def test_a_dropped_series_ends_its_incident_with_the_reason() -> None:
    incidents = Incidents()
    fired = only(step(incidents, 1, open=True, reason=Reason.SHIFT, log_m=12.0))
    restored = Incidents()
    restored.load(incidents.dump())
    ended = only(restored.drop([0, 5], None, Reason.DEFINITION_CHANGED))
    assert (ended.alert_id, ended.reason) == (fired.alert_id, "definition_changed")
    assert restored.rows() == []


def test_a_restored_life_goes_on_as_the_other_one() -> None:
    incidents = Incidents()
    step(incidents, 1, open=True, reason=Reason.SHIFT, log_m=12.0)
    restored = Incidents()
    restored.load(incidents.dump())
    changes = {"closed": True, "reason": Reason.NEW_NORMAL}
    assert step(restored, 5, **changes) == step(incidents, 5, **changes)


def test_every_reason_has_words() -> None:
    for reason in (Reason.RECOVERED, Reason.DATA_RETURNED, Reason.NEW_NORMAL):
        incidents = Incidents()
        step(incidents, 1, open=True, reason=Reason.SHIFT, log_m=12.0)
        ended = only(step(incidents, 2, closed=True, reason=reason))
        assert "has ended" not in ended.summary


@pytest.mark.parametrize(
    ("value", "words"), [(999.7, "1,000"), (-999.7, "-1,000"), (999.4, "999"), (None, "nothing")]
)
def test_a_number_is_written_as_people_do(value: float | None, words: str) -> None:
    assert text.number(value) == words
