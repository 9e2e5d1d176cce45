"""The daily fit of all profiles, some rows at a time."""

import numpy as np

from monitor.baseline import profile
from monitor.baseline.autocorrelation import Process
from monitor.baseline.history import History
from monitor.baseline.slots import Slots
from monitor.baseline.weeks import flags_of, newest_weeks
from monitor.model.table import Table
from monitor.model.tick import Traits
from monitor.stats import laws
from monitor.stats.robust import median_last

_CHUNK = 1024
"""Rows whose profiles are fitted together: their weeks fit into the cache."""


def fit_profiles(
    rows: Table, history: History, slots: Slots, process: Process, *, per_slot: int, traits: Traits
) -> None:
    """Fit the profiles of all rows, from `phi` into `profile`, `full`, `weeks` and `left`.

    The level says where a series stands against its profile: a new profile is put where most of the
    week stays what it was, else what is learnt of a weekend would move the level of all days.

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
            old = np.where((rows["weeks"][at] > 0)[:, None], rows["profile"][at], np.nan)
            moved = median_last(found.shape - old)[:, None]
            rows["profile"][at] = found.shape - np.where(np.isnan(moved), 0.0, moved)
            rows["full"][at] = flags_of(found.full)
            rows["weeks"][at] = found.weeks
            rows["left"][at] = found.left
