"""What a report keeps of every alert, and how much at most."""

import msgspec
import numpy as np
import pytest

from monitor.core.effects import ClosedBucket, Effect, Group
from monitor.embedded import record
from monitor.embedded.record import AFTER, BEFORE, SHOWN_BEFORE, Recorder
from monitor.model.incident import IncidentChanged, IncidentState
from monitor.model.tick import State
from monitor.model.time import DAY, MINUTE, to_rfc3339
from tests.embedded.plans import metric_plan, plan_of
from tests.report.test_page import INCIDENT

START = 20_400 * DAY
WHOLE = Group(
    metric="orders", dimension="all", segments=("all",), rows=np.array([0]), measures=("count",)
)


def bucket(k: int, state: State = State.OK) -> ClosedBucket:
    one = np.array([float(k)])
    return ClosedBucket(
        start_us=START + k * MINUTE,
        end_us=START + (k + 1) * MINUTE,
        groups=GROUPS,
        state=np.array([state], np.int8),
        value=one,
        n=one,
        expected=one,
        lower=one,
        upper=one,
        window_value=one,
        evidence=one,
        log_threshold=one,
        measures=one[:, None],
        learning_seconds=one,
    )


GROUPS = (WHOLE,)


def change(name: str, k: int, state: IncidentState, evidence: float = 8.0) -> IncidentChanged:
    """An alert that began at bucket `k - 4` and is found, or over, at the end of `k`."""
    over = state is IncidentState.RESOLVED
    incident = msgspec.structs.replace(
        INCIDENT,
        alert_id=name,
        dimension="all",
        segment="all",
        state=state,
        evidence=evidence,
        started_at=to_rfc3339(START + (k - 4) * MINUTE),
        detected_at=to_rfc3339(START + (k + 1) * MINUTE),
        resolved_at=to_rfc3339(START + (k + 1) * MINUTE) if over else None,
        summary="It is over. Before: It fell." if over else "It fell.",
    )
    return IncidentChanged(incident=incident, transition=True)


def recorder() -> Recorder:
    return Recorder(plan_of(metric_plan("orders")))


def test_a_card_holds_what_came_before_and_some_of_what_came_after() -> None:
    one = recorder()
    effects: list[Effect] = [bucket(k) for k in range(300)]
    one.effects([*effects, change("a", 299, IncidentState.FIRING)])
    one.effects([*(bucket(k) for k in range(300, 320)), change("a", 319, IncidentState.RESOLVED)])
    one.effects([bucket(k) for k in range(320, 500)])
    (card,) = one.cards()
    values = card.chart.points[:, 2].tolist()
    assert values == [float(k) for k in range(295 - SHOWN_BEFORE, 320 + AFTER)]
    assert (card.incident.summary, card.over) == ("It fell.", "It is over.")
    assert card.incident.resolved_at is not None
    assert card.run == 1


@pytest.mark.parametrize("quiet", [AFTER // 2, 2 * AFTER])
def test_an_alert_that_fires_again_is_one_card(quiet: int) -> None:
    one, again = recorder(), 320 + quiet
    one.effects([*(bucket(k) for k in range(300)), change("a", 299, IncidentState.FIRING)])
    one.effects([*(bucket(k) for k in range(300, 320)), change("a", 319, IncidentState.RESOLVED)])
    one.effects([*(bucket(k) for k in range(320, again))])
    one.effects([change("a", again - 1, IncidentState.FIRING)])
    one.effects([*(bucket(k) for k in range(again, again + 40))])
    (card,) = one.cards()
    assert card.incident.resolved_at is None
    assert card.chart.points[-1, 2] == again + 39


def test_what_is_not_judged_and_what_fades_is_no_card() -> None:
    one = recorder()
    one.effects([bucket(0), change("a", 0, IncidentState.PENDING), bucket(1, State.PARTIAL)])
    assert one.cards() == []
    one.effects([change("b", 1, IncidentState.FIRING)])
    (card,) = one.cards()
    assert len(card.chart.points) == 1, "the partial bucket was not judged"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MOST", 3)
    monkeypatch.setattr(record, "LONGEST", 400)
    one, k = recorder(), 0
    for number in range(6):
        one.effects([*(bucket(k + i) for i in range(BEFORE + 50))])
        k += BEFORE + 50
        one.effects([change(str(number), k - 1, IncidentState.FIRING, evidence=number)])
        one.effects([bucket(k + i) for i in range(500)])
        k += 500
        one.effects([change(str(number), k - 1, IncidentState.RESOLVED), bucket(k)])
        one.effects([bucket(k + 1 + i) for i in range(AFTER)])
        k += AFTER + 1
        lane = next(iter(one._lanes.values()))
        assert len(lane.ring) == BEFORE
        assert not lane.open
        assert len(one._kept) <= 3
        assert all(len(kept.points) <= 400 * 7 for kept in one._kept)
    assert [card.incident.alert_id for card in one.cards()] == ["5", "4", "3"]
    assert one.left_out == 3
