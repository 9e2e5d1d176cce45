"""Rows with autocorrelation, judged by what their prediction missed (GUARD.md, autocorrelation).

A shift is new to the prediction in its first bucket only; after that the filter has taken most of it in, and
of a lasting deviation d its errors keep `kappa d`, `kappa = (1 - rho) / (1 - rho (1 - G))` with the gain G.
"""

from dataclasses import dataclass

import numpy as np

from monitor.model.tick import Floats, Ints, Wander
from monitor.stats import laws
from monitor.stats.laws import Codes

LEAST_LEVEL = 1e-12
LARGEST_SHARE = 1.0 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Whitened:
    """The rows, and the law of their next bucket.

    Attributes:
        rows: which of the panel.
        level, mean, phi: as predicted: value, x, and the dispersion about it.
        kappa: what is left of a lasting shift.
        unit: what a relative shift of the expected value is of the predicted one.
    """

    rows: Ints
    level: Floats
    mean: Floats
    phi: Floats
    kappa: Floats
    unit: Floats

    def shifts(self, at: Ints, eps: Floats, deltas: Floats) -> tuple[Floats, Floats, Floats]:
        """Shifts of the predicted value: edges of the null band, a shift that goes on, one that starts.

        Args:
            at: places in `rows`.
            eps: half-width of the null band of these.
            deltas: bets, as shifts of the expected value.
        """
        kappa, unit = self.kappa[at][:, None], self.unit[at][:, None]
        edges = kappa * unit * np.stack([eps, -eps], axis=1)
        starting = np.maximum(unit * deltas, -LARGEST_SHARE)
        return edges, np.maximum(kappa * starting, -LARGEST_SHARE), starting


def whiten(
    wander: Wander, level: Floats, mean: Floats, noise: Floats, law: Codes
) -> Whitened | None:
    """The rows that have a process, for one bucket; None where none has.

    Args:
        wander: what is carried on.
        level: expected value of the bucket.
        mean: expected x of it.
        noise: variance of x without what is carried on.
        law: codes.
    """
    rows = np.flatnonzero((wander.tau2 > 0) & (mean > 0))
    if not rows.size:
        return None
    ahead, rho, codes = wander.ahead[rows], wander.rho[rows], law[rows]
    expected, square = mean[rows], mean[rows] * mean[rows]
    carried = square * wander.variance[rows]
    spread = noise[rows] + carried
    gain = carried / spread
    predicted = np.maximum(level[rows] * (1.0 + ahead), LEAST_LEVEL)
    share = codes == laws.BETA_BINOMIAL
    predicted = np.where(share, np.minimum(predicted, LARGEST_SHARE), predicted)
    factor = predicted / level[rows]
    least = np.where(share | (codes == laws.NEGATIVE_BINOMIAL), 1.0, 0.0)
    phi = spread * wander.size[rows] / laws.variance(codes, predicted, expected * factor)
    return Whitened(
        rows=rows,
        level=predicted,
        mean=expected * factor,
        phi=np.maximum(phi, least),
        kappa=(1.0 - rho) / (1.0 - rho * (1.0 - gain)),
        unit=1.0 / factor,
    )
