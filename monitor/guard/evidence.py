"""Evidence of a shift: R of every bet, and since when it has been growing."""

import numpy as np

from monitor.guard.bets import DELTAS, WEIGHTS, Payoffs
from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints
from monitor.model.time import SECOND
from monitor.stats.e_detector import FLOOR, grow, grow_in_two

SUMS = 3
"""x, expected x and n, summed since the start that a bet estimates; the standard deviation of x beside them, in
half the bytes: nothing is counted by it."""
_K = DELTAS.size
_MOST_DEVIATION = 1e38
_LAST_S = 2**32 - 1
"""Starts are kept in four bytes: from 1970 to 2106."""


class Evidence:
    """The e-SR of every row, and beside each bet a CUSUM whose last zero is the shift's start."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "r": Column(dtype="f8", shape=(_K,)),
                "cusum": Column(dtype="f4", shape=(_K,)),
                "start_s": Column(dtype="u4", shape=(_K,)),
                "sums": Column(dtype="f8", shape=(SUMS, _K)),
                "deviation": Column(dtype="f4", shape=(_K,)),
            }
        )

    def update(
        self, *, payoffs: Payoffs, active: Bools, cap: Floats, sums: Floats, start_us: int
    ) -> None:
        """Take in one bucket.

        Args:
            payoffs: log L by bet.
            active: bets that are placed; the others keep their R. bool[rows, bets]
            cap: the most that log L may be, by row.
            sums: x, expected x, n and variance of the bucket. float64[rows, 4]
            start_us: start of the bucket.
        """
        t = self.table
        r, cusum = t["r"], t["cusum"]
        goes_on, log_bets = cusum > 0, payoffs.log
        if payoffs.log_start is None:
            grown = grow(r, log_bets, cap[:, None])
        else:
            grown = grow_in_two(r, log_bets, payoffs.log_start, cap[:, None])
            log_bets = np.where(goes_on, log_bets, payoffs.log_start)
        np.copyto(r, grown, where=active)
        step = np.minimum(np.maximum(log_bets, FLOOR), cap[:, None])
        start_s = min(max(start_us // SECOND, 0), _LAST_S)
        np.copyto(t["start_s"], np.uint32(start_s), where=active & ~goes_on)
        np.copyto(
            t["sums"],
            t["sums"] * goes_on[:, None, :] + sums[:, :SUMS, None],
            where=active[:, None, :],
        )
        more = np.minimum(np.sqrt(sums[:, SUMS:]), _MOST_DEVIATION).astype(np.float32)
        np.copyto(t["deviation"], np.hypot(t["deviation"] * goes_on, more), where=active)
        np.copyto(cusum, np.maximum(cusum + step, 0.0), where=active)

    def total(self, allowed: Bools) -> Floats:
        """Weighted sum of R over the bets that are allowed, by row."""
        r = self.table["r"] * (allowed * WEIGHTS)
        total = r[:, 0].copy()
        for k in range(1, _K):  # in this order, whatever the number of rows
            total += r[:, k]
        result: Floats = total
        return result

    def winner(self, allowed: Bools) -> Ints:
        """The bet with the largest R; its weight does not matter here."""
        best: Ints = np.argmax(np.where(allowed, self.table["r"], -1.0), axis=1)
        return best

    def since(self, bet: Ints) -> tuple[Ints, Floats]:
        """Estimated start, and the sums since, of one bet of each row."""
        rows, t = np.arange(bet.size), self.table
        start_us = t["start_s"][rows, bet].astype(np.int64) * SECOND
        variance = t["deviation"][rows, bet].astype(np.float64) ** 2
        return start_us, np.concatenate([t["sums"][rows, :, bet], variance[:, None]], axis=1)

    def forget(self, rows: Bools) -> None:
        """Start anew."""
        if rows.any():
            self.table.clear(np.flatnonzero(rows))
