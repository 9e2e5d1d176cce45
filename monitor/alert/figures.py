"""The figures of an incident, taken from the guard's running sums."""

import math
from dataclasses import dataclass

from monitor.model.tick import Decision, Expectation
from monitor.stats.exact import round_one

Z95 = 1.959964
"""Two-sided 95 % point of the normal distribution."""
LN10 = math.log(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What an incident amounts to so far; None where it is undefined.

    Attributes:
        value, expected: per bucket for totals, else the quotient, over the incident.
        shift: value / expected - 1.
        interval: 95 % interval of the shift: the law's noise and the baseline's own error.
        n: units or events.
        evidence, threshold: log10 of M and of A.
    """

    value: float | None
    expected: float | None
    shift: float | None
    interval: list[float] | None
    n: float
    evidence: float
    threshold: float


def figures(
    row: int,
    *,
    decision: Decision,
    expectation: Expectation,
    log_threshold: float,
    total: bool,
    buckets: float,
    absent: bool = False,
) -> Figures:
    """The figures of one row.

    Args:
        row: which.
        decision: of the bucket that has just closed.
        expectation: of the same bucket.
        log_threshold: natural log of A.
        total: whether the value is a total (count, sum).
        buckets: how many buckets the incident has had.
        absent: whether the incident is that there is no data: then there is no value and no shift.
    """
    x, m = float(decision.sum_x[row]), float(decision.sum_expected[row])
    n = float(decision.sum_n[row])
    per = buckets if total else n
    known = not absent and math.isfinite(m) and m != 0 and per > 0
    shift = x / m - 1 if known else None
    interval = None
    if shift is not None:
        noise = float(decision.sum_variance[row]) / (m * m)
        error = math.sqrt(max(noise, 0.0) + float(expectation.sd_level[row]) ** 2)
        if math.isfinite(error):
            interval = [round_one(shift - Z95 * error), round_one(shift + Z95 * error)]
    level = float(expectation.level[row])
    return Figures(
        value=round_one(x / per) if known else None,
        expected=round_one(m / per)
        if known
        else (round_one(level) if math.isfinite(level) else None),
        shift=None if shift is None else round_one(shift),
        interval=interval,
        n=round_one(n) if math.isfinite(n) else 0.0,
        evidence=round_one(max(float(decision.log_m[row]), 0.0) / LN10),
        threshold=round_one(log_threshold / LN10),
    )
