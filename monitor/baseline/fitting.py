"""The daily fit of all profiles, some rows at a time."""

import numpy as np

from monitor.baseline import profile
from monitor.baseline.autocorrelation import Process
from monitor.baseline.codes import WIDE
from monitor.baseline.history import History
from monitor.baseline.slots import Slots
from monitor.baseline.weeks import newest_weeks
from monitor.model.table import Table
from monitor.model.tick import Traits
from monitor.stats import laws

_CHUNK = 1024
"""Rows whose profiles are fitted together: their weeks fit into the cache."""


def fit_profiles(
    rows: Table, history: History, slots: Slots, process: Process, *, per_slot: int, traits: Traits
) -> None:
    """Fit the profiles of all rows, from `phi` into `profile`, `units`, `weeks` and `left`.

    Args:
        rows: where they stand.
        history: of all rows.
        slots: its numbering.
        process: what carries on from bucket to bucket.
        per_slot: buckets of a slot.
        traits: of all rows.
    """
    for zone in np.unique(traits.timezone).tolist():
        of_zone = np.flatnonzero(traits.timezone == zone)
        for first in range(0, of_zone.size, _CHUNK):
            at = of_zone[first : first + _CHUNK]
            weeks = newest_weeks(history, slots, at, zone)
            law, total = traits.law[at], traits.total[at]
            chance = profile.Chance(
                white=profile.law_chance(weeks, law, total, rows["phi"][at]),
                wander=process.slot[at],
                rho=process.rho[at] ** per_slot,
            )
            found = profile.fit(weeks, total, law == laws.BETA_BINOMIAL, chance)
            rows["profile"][at] = found.shape
            rows["units"][at] = WIDE.encode(found.units)
            rows["weeks"][at] = found.weeks
            rows["left"][at] = found.left
