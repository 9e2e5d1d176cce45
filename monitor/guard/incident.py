"""An open incident of a row: what it has summed so far, and whether it is over.

Recovery is judged by evidence too: a mirrored e-SR of "as expected" against "half of the shift
persists". The shift is re-estimated from the incident up to where its end seems to have begun: what comes after
the end would make it smaller, and the end harder to see. Being quiet for some buckets is no evidence.
"""

from dataclasses import dataclass

import numpy as np

from monitor.guard.bets import Scale
from monitor.guard.volume import LEAST_PHI
from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Expectation, Floats, Ints, Observation, Traits
from monitor.stats import laws
from monitor.stats.e_detector import grow, grow_in_two

THRESHOLD = 1000.0
"""Evidence that ends an incident."""
DOUBT = THRESHOLD**0.5
"""With this much evidence of recovery a shift is not made the new normal."""
BAND_MARGIN = 1.5
"""Half of a shift is never taken to be less than this many null bands."""
MOST_FALL = 0.99
BACK, SILENT_STILL = -0.5, -0.9
"""After silence: at least half of the units, against a tenth of them."""
LEAST_BUCKETS = 3
"""A shift is not the new normal before this many buckets were paged."""
PATIENCE_BUCKETS = 2
"""How long a page of a segment waits for that of something coarser that is suspected."""
SILENT_EXPECTED = 20.0
"""Two buckets of 0 are silence where more units than this were expected of them."""
_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What the guard knows of the bucket that it judges.

    Attributes:
        seen, expected, traits, scale: the inputs.
        judged: rows whose shift is judged.
        sums: x, expected x, n, variance of x. float64[rows, 4]
    """

    seen: Observation
    expected: Expectation
    traits: Traits
    scale: Scale
    judged: Bools
    sums: Floats


class Incidents:
    """The open incident of every row that has one.

    Args:
        bucket_us: width of a bucket.
    """

    def __init__(self, bucket_us: int) -> None:
        self.bucket_us = bucket_us
        self.table = Table(
            {
                "open": Column(dtype="?"),
                "silent": Column(dtype="?"),
                "start_us": Column(dtype="i8"),
                "opened_us": Column(dtype="i8"),
                "accept_from_us": Column(dtype="i8"),
                "direction": Column(dtype="i1"),
                "sums": Column(dtype="f8", shape=(4,)),
                "recovery": Column(dtype="f8"),
                "recovery_cusum": Column(dtype="f8"),
                "until_end": Column(dtype="f8", shape=(4,)),
                "zero_units": Column(dtype="f8", fill=_NAN),
                "waited": Column(dtype="i1"),
            }
        )

    def is_silent(self, bucket: Bucket) -> Bools:
        """Totals whose last two buckets are 0 where more than 20 units were expected; remembers."""
        t = self.table
        zero = bucket.seen.observed & bucket.traits.total & (bucket.seen.x == 0)
        silent: Bools = zero & (t["zero_units"] + bucket.expected.units > SILENT_EXPECTED)
        t["zero_units"] = np.where(zero, bucket.expected.units, np.nan)
        return silent

    def wait_for(self, coarser: Bools, fires: Bools) -> Bools:
        """Rows that fire now: those under a suspicion wait for it, for some buckets at most.

        A fall of everything is found in some segment a bucket earlier now and then, by chance: one page is
        enough, and it should be that of the whole.
        """
        waited = self.table["waited"]
        waits = fires & coarser & (waited < PATIENCE_BUCKETS)
        self.table["waited"] = np.where(waits, waited + 1, 0)
        result: Bools = fires & ~waits
        return result

    def go_on(self, bucket: Bucket, silent: Bools) -> tuple[Bools, Bools]:
        """Take the bucket into the incidents that are open.

        Returns:
            Rows that have recovered, and rows whose shift is the new normal.
        """
        t = self.table
        none = np.zeros(t.size, dtype=np.bool_)
        rows = np.flatnonzero(t["open"])
        if not rows.size:
            return none, none
        log_bet, log_start, used = self._recovery_bet(bucket, rows)
        cap = np.full(rows.size, 0.5 * np.log(THRESHOLD))
        evidence = t["recovery"][rows]
        if log_start is None:
            grown = grow(evidence, log_bet, cap)
        else:
            grown = grow_in_two(evidence, log_bet, log_start, cap)
        evidence = np.where(used, grown, evidence)
        t["recovery"][rows] = evidence
        heard = bucket.seen.observed[rows]
        adds = bucket.judged[rows] | (t["silent"][rows] & ~heard)
        t["sums"][rows] += np.where(adds[:, None], bucket.sums[rows], 0.0)
        cusum = t["recovery_cusum"][rows]
        cusum = np.where(used, np.maximum(cusum + log_bet, 0.0), cusum)
        t["recovery_cusum"][rows] = cusum
        ends = (cusum > 0)[:, None]
        t["until_end"][rows] = np.where(ends, t["until_end"][rows], t["sums"][rows])
        end_us, still = bucket.seen.end_us, ~heard | silent[rows]
        since = np.where(still, end_us, t["accept_from_us"][rows])
        if bucket.expected.holiday is not None:  # a holiday says nothing of what is normal
            since = since + np.where(bucket.expected.holiday[rows], self.bucket_us, 0)
        t["accept_from_us"][rows] = since
        lasted = end_us - since >= bucket.traits.accept_after_us[rows]
        lasted &= end_us - t["opened_us"][rows] >= LEAST_BUCKETS * self.bucket_us
        recovered, accepted = none.copy(), none.copy()
        recovered[rows] = evidence >= THRESHOLD
        accepted[rows] = lasted & (evidence < DOUBT) & ~still
        return recovered, accepted

    def _recovery_bet(self, bucket: Bucket, rows: Ints) -> tuple[Floats, Floats | None, Bools]:
        """Log of "as expected" over "half of the shift persists", and where it can be told.

        Second, for rows with autocorrelation, the same where the shift ends with this bucket.
        """
        t, law = self.table, bucket.traits.law[rows]
        level = bucket.expected.level[rows]
        half = _half(t["until_end"][rows], t["direction"][rows], bucket.scale.eps[rows])
        most = np.where(law == laws.BETA_BINOMIAL, 0.5 * (1.0 / level - 1.0), np.inf)
        half = np.minimum(half, most)
        out = np.zeros(rows.size)
        for code in np.unique(law).tolist():
            at = np.flatnonzero(law == code)
            of = rows[at]
            out[at] = laws.log_ratio(
                code,
                x=bucket.seen.x[of],
                n=bucket.seen.n[of],
                level=level[at],
                mean=bucket.scale.mean[of],
                phi=bucket.expected.phi[of],
                null=half[at],
                alternative=np.zeros(at.size),
            )
        start = _whitened_bets(bucket, rows, half, out)
        used = bucket.judged[rows]
        units = t["silent"][rows] & ~bucket.traits.total[rows]
        if units.any():
            expected = bucket.expected.units[rows]
            back = laws.log_ratio(
                laws.NEGATIVE_BINOMIAL,
                x=bucket.seen.n[rows],
                n=bucket.seen.n[rows],
                level=expected,
                mean=expected,
                phi=np.full(rows.size, LEAST_PHI),
                null=np.full(rows.size, SILENT_STILL),
                alternative=np.full(rows.size, BACK),
            )
            out = np.where(units, back, out)
            start = None if start is None else np.where(units, back, start)
            used = np.where(units, bucket.seen.observed[rows] & (expected > 0), used)
        return out, start, used

    def open(
        self,
        rows: Bools,
        *,
        start_us: Ints,
        direction: Ints,
        sums: Floats,
        silent: Bools,
        end_us: int,
    ) -> None:
        """Open an incident of each of these rows."""
        t, at = self.table, np.flatnonzero(rows)
        if not at.size:
            return
        t["open"][at] = True
        t["silent"][at] = silent[at]
        t["start_us"][at] = start_us[at]
        t["opened_us"][at] = end_us
        t["accept_from_us"][at] = np.where(silent[at], end_us, start_us[at])
        t["direction"][at] = direction[at]
        t["sums"][at] = sums[at]
        t["recovery"][at] = 0.0
        t["recovery_cusum"][at] = 0.0
        t["until_end"][at] = sums[at]

    def close(self, rows: Bools) -> None:
        """End the incidents of these rows."""
        t = self.table
        if not rows.any():
            return
        t["open"] = t["open"] & ~rows
        t["recovery"] = np.where(rows, 0.0, t["recovery"])


def _whitened_bets(bucket: Bucket, rows: Ints, half: Floats, out: Floats) -> Floats | None:
    """Write the bets of rows with autocorrelation into `out`; returns those of an end in this bucket.

    The prediction has taken in the shift but for `kappa`, so that its end is a step the other way.
    """
    white = bucket.scale.whitened
    if white is None:
        return None
    start = out.copy()
    _, places, at = np.intersect1d(rows, white.rows, assume_unique=True, return_indices=True)
    codes = bucket.traits.law[rows[places]]
    for code in np.unique(codes).tolist():
        mine = codes == code
        i, k = places[mine], at[mine]
        of, kappa, unit = rows[i], white.kappa[k], white.unit[k]
        for target, ended in ((out, 0.0), (start, -2.0 * (1.0 - kappa) * half[i])):
            target[i] = laws.log_ratio(
                code,
                x=bucket.seen.x[of],
                n=bucket.seen.n[of],
                level=white.level[k],
                mean=white.mean[k],
                phi=white.phi[k],
                null=np.maximum(kappa * unit * half[i], -MOST_FALL),
                alternative=np.maximum(unit * ended, -MOST_FALL),
            )
    return start


def _half(sums: Floats, direction: Ints, eps: Floats) -> Floats:
    """Half of the shift that these sums hold, never inside the null band nor below the whole."""
    shift = (sums[:, 0] / sums[:, 1] - 1.0) * direction
    shift = np.where(np.isfinite(shift), shift, 0.0)
    size = np.maximum(0.5 * shift, BAND_MARGIN * eps)
    return np.where(direction < 0, -np.minimum(size, MOST_FALL), size)
