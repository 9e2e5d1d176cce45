"""Open tickets of a measurement: noise beside what the measurement accounts for ends none."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from monitor.core.measured import RECENT, MeasuredTickets
from monitor.model.quality import Account


def ended(shift: float, *, effect: float | None, each: float = 25.0) -> bool:
    """Whether a ticket ends whose last buckets are shifted so far, each of so many expected units."""
    tickets, found = MeasuredTickets(), None
    if effect is not None:
        explained = np.log1p(effect) / np.log1p(shift)
        found = Account(effect=effect, explained=float(explained), bound=False, causes=())
    contexts: Any = SimpleNamespace(account=lambda *_: found)
    rows = []
    for k in range(RECENT + 1):
        sums = (k * each * (1 + shift), k * each, k * each)
        decision = dict(
            zip(("sum_x", "sum_expected", "sum_variance"), ([s] for s in sums), strict=True)
        )
        judged: Any = SimpleNamespace(
            end_us=k,
            decision=SimpleNamespace(**{n: np.array(v) for n, v in decision.items()}),
            expectation=SimpleNamespace(sd_level=np.array([0.01])),
            traits=SimpleNamespace(min_relative_shift=np.array([0.02])),
        )
        rows = tickets.unaccounted([0], judged, contexts)
    return rows == [0]


@pytest.mark.parametrize(
    ("shift", "effect", "each", "ends"),
    [
        (0.6, 0.25, 25.0, False),  # less than half, but what is left of it is noise
        (0.6, 0.25, 2500.0, True),
        (0.6, 0.5, 2500.0, False),
        (0.6, None, 25.0, True),
        (0.2, None, 25.0, False),
        (-0.6, -0.2, 2500.0, True),
        (-0.4, -0.3, 2500.0, False),
    ],
)
def test_a_ticket_ends_where_what_is_left_without_the_measurement_is_a_shift(
    shift: float, effect: float | None, each: float, ends: bool
) -> None:
    assert ended(shift, effect=effect, each=each) is ends
