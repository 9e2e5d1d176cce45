"""The units of a slot, from the history, against the weeks that the profiles were fitted to."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.baseline.codes import WIDE
from monitor.baseline.history import History
from monitor.baseline.profile import usual_units
from monitor.baseline.slots import ROWS, Slots
from monitor.baseline.weeks import flags_of, newest_weeks, units_of
from monitor.model.tick import Floats
from monitor.model.time import DAY, HOUR

ZONES = ["UTC", "Europe/Berlin", "America/New_York"]
MARCH = 1_773_619_200_000_000  # Monday 2026-03-16: clocks move within the weeks


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    days=st.integers(3, 50),
    width=st.sampled_from([HOUR, 6 * HOUR, DAY]),
    holes=st.sampled_from([0.0, 0.2, 0.8]),
)
def test_until_the_next_fit_they_are_those_of_the_fitted_weeks(
    seed: int, days: int, width: int, holes: float
) -> None:
    rng, rows = np.random.default_rng(seed), 6
    slots, zones = Slots(width, ZONES), np.arange(rows) % len(ZONES)
    slots.anchor(MARCH)
    history, first = History(slots.history), slots.of(MARCH)
    history.table.append(rows)

    def push(slot: int) -> None:
        n = np.where(rng.random(rows) < holes, np.nan, rng.poisson(50, rows).astype(float))
        history.push(slot, n, n, rng.random(rows) < 0.2)

    fitted = first + days * slots.day - 1
    for slot in range(first, fitted + 1):
        push(slot)
    full = rng.random((rows, ROWS)) < 0.7
    wanted: Floats = np.empty((rows, slots.week))
    for row in range(rows):
        weeks = newest_weeks(history, slots, np.array([row]), int(zones[row]))
        usual = usual_units(weeks.n, weeks.marked, full[row][None, None, :])
        wanted[row] = WIDE.decode(WIDE.encode(usual[0]))
    flags = flags_of(full)
    flags[-1] = 0  # a row that came after the fit
    for slot in range(fitted + 1, fitted + 1 + slots.day):
        found = units_of(history, slots, fitted=fitted, slot=slot, full=flags, zones=zones)
        place = slots.local(slot)[zones] % slots.week
        np.testing.assert_array_equal(found[:-1], wanted[np.arange(rows), place][:-1])
        assert np.isnan(found[-1])
        push(slot)
