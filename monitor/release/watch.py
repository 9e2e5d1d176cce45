"""The evidence of one release in one lane, row by row: what was bet, summed, and passed over and why.

A single e-process a row, without restart: at a known time there is one place where a shift can begin
(GUARD.md, Releases). Of a release whose end is not told yet one half of the capital bets from its start;
once the end is told the other half bets from there, and what the first has come to is kept. The sum of both
has expectation 1 at most under the null, whenever it is looked at (Ville's inequality for its supremum).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints
from monitor.model.time import HOUR
from monitor.release.book import GATE_US
from monitor.stats.confidence_sequence import tuned_for

ALPHA = 0.01
"""Probability that a release without any effect is ever called a regression or an improvement."""
INTERVAL_ALPHA = 0.025
"""One half of what the interval may miss: the noise; the other half is the error of the level."""
LOG_ALPHA = float(np.log(ALPHA))
FLOOR = -50.0
"""Log of the least factor of one bucket."""
_NONE = -np.inf

_INTERNAL = ("log_e", "held_up", "held_down", "base")
COUNTS = ("judged", "few", "empty", "suspect")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One closed bucket of the rows of a watch.

    Attributes:
        start_us, end_us: the bucket.
        x, n, mean, variance: observed x and n, expected x and its variance.
        log_bets: log L by bet. float64[rows, bets]
        active: bets that are placed. bool[rows, bets]
        observed: whether the bucket says anything of the row.
        few: rows of which too few units were expected.
        suspect: rows whose data is in doubt.
        log_start: log L of a shift that starts with this bucket, where that differs.
    """

    start_us: int
    end_us: int
    x: Floats
    n: Floats
    mean: Floats
    variance: Floats
    log_bets: Floats
    active: Bools
    observed: Bools
    few: Bools
    suspect: Bools
    log_start: Floats | None = None


class Watch:
    """What has been seen of one release in one lane.

    Args:
        bets_up: which bets are on a rise; the others are on a fall. bool[bets]
        weights: what each holds of the capital, relative; None for all the same. float64[bets]
        begin_us: from when on buckets count.
        halved: whether its end is not told yet, so that one half of the capital waits for it.

    Attributes:
        rows: which row of the panel each row is. int64
        as_of_us: end of the newest bucket that was looked at; None before the first.
        gate: the columns as they stood when the gate's time was over; None until then.
        told_late: buckets that had closed before they counted here.
        gone: whether some of those are not kept any more.
    """

    def __init__(
        self, bets_up: Bools, *, begin_us: int, halved: bool, weights: Floats | None = None
    ) -> None:
        self._up = bets_up
        parts = np.ones(bets_up.size) if weights is None else weights
        self._log_parts = np.log(parts / parts.sum())
        self.begin_us = begin_us
        self.halved = halved
        self.as_of_us: int | None = None
        self.told_late = 0
        self.gone = False
        self.gate: dict[str, Any] | None = None
        bets = (bets_up.size,)
        floats = {name: Column(dtype="f8") for name in ("x", "mean", "variance", "n")}
        logs = ("up", "down", "held_up", "held_down")
        self.table = Table(
            {
                "row": Column(dtype="i8", fill=-1),
                "log_e": Column(dtype="f8", shape=bets),
                **{name: Column(dtype="f8", fill=_NONE) for name in logs},
                **floats,
                "rho": Column(dtype="f8", fill=np.nan),
                "share": Column(dtype="f8"),
                "base": Column(dtype="f8", fill=np.nan),
                "sd": Column(dtype="f8", fill=np.nan),
                "eps": Column(dtype="f8", fill=np.nan),
                "ready": Column(dtype="?"),
                "incident": Column(dtype="?"),
                **{name: Column(dtype="i8") for name in COUNTS},
            }
        )

    @property
    def rows(self) -> Ints:
        """Rows of the panel; -1 for those that were given away."""
        rows: Ints = self.table["row"]
        return rows

    @property
    def can_judge(self) -> Bools:
        """Rows of which enough was known when the release began."""
        t = self.table
        judged: Bools = t["ready"] & ~t["incident"] & (t["share"] > 0) & (t["row"] >= 0)
        return judged

    def add(self, **columns: Any) -> None:
        """Add rows; `columns` by name, one entry each."""
        added = self.table.append(len(columns["row"]))
        for name, values in columns.items():
            self.table[name][added.start :] = values

    def release_rows(self, rows: Ints) -> None:
        """Let go of rows of the panel that are given to other series."""
        t = self.table
        t["row"] = np.where(np.isin(t["row"], rows), -1, t["row"])

    def restart(self, begin_us: int) -> None:
        """Count from another time on: the end of the release was told.

        What the first half of the capital has come to is kept; what was seen until then is forgotten.
        Where nothing was bet yet, the capital is whole again.
        """
        t = self.table
        self.begin_us = begin_us
        if self.halved and not t["judged"].any():
            self.halved = False
        if self.halved:
            up, down = self._capital()
            t["held_up"], t["held_down"] = up, down
        t["log_e"] = np.zeros_like(t["log_e"])
        for name in ("x", "mean", "variance", "n", *COUNTS):
            t[name] = np.zeros_like(t[name])
        t["rho"] = np.full(t.size, np.nan)
        self.gate, self.as_of_us, self.told_late, self.gone = None, None, 0, False

    def take(self, bucket: Bucket, width_us: int) -> None:
        """Take in a bucket; they come in the order of time.

        Args:
            bucket: of the rows of this watch.
            width_us: of the panel's buckets.
        """
        t = self.table
        if self.gate is None and bucket.end_us > self.begin_us + GATE_US:
            self.gate = self.shown()
        self.as_of_us = bucket.end_us
        known = self.can_judge
        t["empty"] += known & ~bucket.observed
        t["few"] += known & bucket.observed & bucket.few
        t["suspect"] += known & bucket.suspect
        used = known & bucket.observed & ~bucket.few & ~bucket.suspect
        used &= (bucket.variance > 0) & (bucket.mean > 0)
        log_bets = bucket.log_bets
        if bucket.log_start is not None:
            log_bets = np.where((t["judged"] == 0)[:, None], bucket.log_start, log_bets)
        t["judged"] += used
        with np.errstate(divide="ignore"):
            cap = 0.5 * (-LOG_ALPHA - np.log(t["share"]))  # no single bucket decides
        placed = used[:, None] & bucket.active & ~np.isnan(log_bets)
        step = np.minimum(np.maximum(log_bets, FLOOR), cap[:, None])
        t["log_e"] += np.where(placed, step, 0.0)
        up, down = self._capital()
        t["up"] = np.maximum(t["up"], np.logaddexp(up, t["held_up"]))
        t["down"] = np.maximum(t["down"], np.logaddexp(down, t["held_down"]))
        for name in ("x", "mean", "variance", "n"):
            t[name] += np.where(used, getattr(bucket, name), 0.0)
        first = used & np.isnan(t["rho"])
        if first.any():  # narrowest after about an hour of such buckets
            hour = max(1.0, HOUR / width_us) * bucket.variance
            t["rho"] = np.where(first, tuned_for(hour, INTERVAL_ALPHA), t["rho"])

    def shown(self) -> dict[str, Any]:
        """A copy of the columns that a verdict is made of."""
        return {name: column for name, column in self.table.dump().items() if name not in _INTERNAL}

    def _capital(self) -> tuple[Floats, Floats]:
        """Log of what the bets on a rise, and those on a fall, have come to."""
        held = self.table["log_e"] + self._log_parts
        part = np.log(2.0) if self.halved else 0.0
        sides = (held[:, self._up], held[:, ~self._up])
        up, down = (np.logaddexp.reduce(side, axis=1) - part for side in sides)
        return up, down

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "table": self.table.dump(),
            "begin_us": self.begin_us,
            "halved": self.halved,
            "as_of_us": self.as_of_us,
            "told_late": self.told_late,
            "gone": self.gone,
            "gate": self.gate,
        }

    @classmethod
    def load(cls, bets_up: Bools, state: dict[str, Any], weights: Floats | None = None) -> "Watch":
        """The watch that `dump` described."""
        watch = cls(bets_up, begin_us=state["begin_us"], halved=state["halved"], weights=weights)
        watch.table.load(state["table"])
        for name in ("as_of_us", "told_late", "gone", "gate"):
            setattr(watch, name, state[name])
        return watch
