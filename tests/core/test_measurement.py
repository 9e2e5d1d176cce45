"""What is read from the past of the ledgers for a silent series."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from monitor.aggregate.ledger_past import LedgerPast
from monitor.core.measurement import Measurement
from monitor.model.ledger import Aspect
from monitor.model.time import DAY, MINUTE
from tests.strategies.ledgers import Row, frame_of, lines

T0 = 20_400 * DAY
SPAN = 60


def measured(rows: list[Row]) -> Measurement:
    past = LedgerPast(MINUTE)
    past.take(frame_of([*lines(T0 - 1, "view", 1), *rows]))
    past.settle(T0 + SPAN * MINUTE)
    return Measurement(past, [])


@given(
    st.sets(st.integers(0, SPAN - 1)), st.integers(0, SPAN), st.booleans(), st.integers(1, MINUTE)
)
def test_quiet_is_what_follows_the_last_bucket_with_one_of_the_events(
    came: set[int], since: int, by_version: bool, part: int
) -> None:
    rows = [row for k in came for row in lines(T0 + k * MINUTE, "order", 1)]
    rows += [(T0 + k * MINUTE, "order", Aspect.VERSION, "8.3", 1) for k in came]
    rows += [(T0 + (SPAN - 1) * MINUTE, "order", Aspect.VERSION, "8.2", 1)]
    found = measured(rows).quiet_since(
        {"order"},
        T0 + since * MINUTE - MINUTE + part,
        T0 + SPAN * MINUTE,
        version="8.3" if by_version else None,
    )
    first = max([since, *(k + 1 for k in came)])
    assert found == (T0 + first * MINUTE if came and first < SPAN else None)


@pytest.mark.parametrize(("stops", "names"), [(50, ("view",)), (10, ())])
def test_what_stopped_too_does_not_go_on(stops: int, names: tuple[str, ...]) -> None:
    rows = [row for k in range(10) for row in lines(T0 + k * MINUTE, "order", 4)]
    rows += [row for k in range(-30, stops) for row in lines(T0 + k * MINUTE, "view", 4)]
    found = measured(rows)
    since = found.quiet_since({"order"}, T0 - 20 * MINUTE, T0 + SPAN * MINUTE)
    assert since == T0 + 10 * MINUTE
    assert found.going_on({"order"}, since, T0 + SPAN * MINUTE).names == names
