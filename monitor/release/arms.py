"""A canary: the treatment against the control's rate in the same bucket, whatever the season does.

Both are noisy, so the dispersion is `phi (1 + n_t / n_c)` (GUARD.md, Releases). Buckets of few units are
put together first: a rate from a handful of units says nothing of another. phi is the learnt one of the
control; until something is learnt it is that of the successive differences of the control's own rate so far.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints
from monitor.stats import laws

EPS = 0.01
"""Half-width of the null band: both arms share season and level, so there is no baseline to be wrong."""
LEAST_X = 20.0
"""Of shares: what the control must count before its rate is used, times 1 + n_t / n_c."""
LEAST_LEARNT = 10.0
"""Of shares: what it must count before its rate says something of the dispersion."""
LEAST_DIFFERENCES = 10
"""Of the control's rate, before its own dispersion is used."""
_BOTH = ("x_t", "n_t", "x_c", "n_c")
_LEARNT = ("x_l", "n_l")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What one bucket, or several put together, says of the treatment.

    Attributes:
        x, n: of the treatment.
        level: the control's rate.
        phi: dispersion of x at that rate.
        usable: rows that are bet on now; the others wait for more units.
    """

    x: Floats
    n: Floats
    level: Floats
    phi: Floats
    usable: Bools


class Arms:
    """Rows of treatments, each with its control."""

    def __init__(self) -> None:
        names = (*_BOTH, *_LEARNT, "rate", "spread", "squares", "differences")
        floats = {name: Column(dtype="f8") for name in names}
        self.table = Table({"control": Column(dtype="i8", fill=-1), **floats})

    @property
    def controls(self) -> Ints:
        """Row of the panel of each control; -1 for those that were given away."""
        controls: Ints = self.table["control"]
        return controls

    def add(self, controls: list[int]) -> None:
        """Add rows with these controls."""
        added = self.table.append(len(controls))
        self.table["control"][added.start :] = controls

    def release_rows(self, rows: Ints) -> None:
        """Let go of rows of the panel that are given to other series."""
        control = self.table["control"]
        self.table["control"] = np.where(np.isin(control, rows), -1, control)

    def restart(self) -> None:
        """Forget what was put together; what is known of the dispersion stays."""
        for name in _BOTH:
            self.table[name] = np.zeros_like(self.table[name])

    def compare(
        self,
        *,
        treatment: tuple[Floats, Floats],
        control: tuple[Floats, Floats],
        law: Any,
        phi: Floats,
        min_units: Floats,
    ) -> Compared:
        """Take in a bucket.

        Args:
            treatment: x and n of each row.
            control: likewise.
            law: of each row. int8
            phi: learnt dispersion of the control; NaN where there is none.
            min_units: of both arms, for a rate to count.
        """
        t = self.table
        with np.errstate(all="ignore"):
            known = np.fmax(self._own_phi(), phi)  # of what was seen before this bucket
        for name, values in zip(_BOTH, (*treatment, *control), strict=True):
            t[name] += np.nan_to_num(values)
        share = law == laws.BETA_BINOMIAL
        x_t, n_t, x_c, n_c = (t[name].copy() for name in _BOTH)
        least = np.maximum(min_units, 1.0)
        with np.errstate(all="ignore"):
            inflation = 1.0 + n_t / n_c
            enough = (n_t >= least) & (n_c >= least)
            enough &= ~share | (np.minimum(x_c, n_c - x_c) >= LEAST_X * inflation)
            level = np.where(share, (x_c + 0.5) / (n_c + 1.0), x_c / n_c)
            dispersion = np.maximum(known, np.where(share, 1.0, 0.0)) * inflation
            self._learn(control, share, least)
        for name in _BOTH:
            t[name] = np.where(enough, 0.0, t[name])
        usable = enough & np.isfinite(dispersion) & (level > 0)
        return Compared(x=x_t, n=n_t, level=level, phi=dispersion, usable=usable)

    def _own_phi(self) -> Floats:
        """By the differences so far, a standard error above; NaN where they are too few."""
        count = self.table["differences"]
        value = self.table["squares"] / count * (1.0 + np.sqrt(3.0 / count))
        known: Floats = np.where(count >= LEAST_DIFFERENCES, value, np.nan)
        return known

    def _learn(self, control: tuple[Floats, Floats], share: Bools, least: Floats) -> None:
        """Half the mean squared difference of neighbours, in units of the law at phi = 1."""
        t = self.table
        for name, values in zip(_LEARNT, control, strict=True):
            t[name] += np.nan_to_num(values)
        x, n = t["x_l"].copy(), t["n_l"].copy()
        enough = (n >= least) & (~share | (np.minimum(x, n - x) >= LEAST_LEARNT))
        level = x / n
        spread = np.where(share, level * (1.0 - level), level * level) / n
        step = level - t["rate"]
        counts = enough & (t["spread"] > 0)
        t["squares"] += np.where(counts, step * step / (spread + t["spread"]), 0.0)
        t["differences"] += counts
        t["rate"] = np.where(enough, level, t["rate"])
        t["spread"] = np.where(enough, spread, t["spread"])
        for name in _LEARNT:
            t[name] = np.where(enough, 0.0, t[name])
