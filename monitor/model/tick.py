"""The values of one closed bucket, all series of a panel at once: what the later stages pass on.

Every array has one entry a row of the panel. A stage adds its own struct; none writes to another's.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.model.time import FOREVER

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class State(IntEnum):
    """What a bucket of a series is worth; the names, in lower case, are those of `buckets.ndjson`."""

    LEARNING = 0
    OK = 1
    SUSPECTED = 2
    ALERTING = 3
    NO_DATA = 4
    TOO_FEW_UNITS = 5
    IMMATURE = 6
    PARTIAL = 7
    MEASUREMENT_MOVED = 8

    @property
    def label(self) -> str:
        """The name that leaves the program."""
        return self.name.lower()


class Reason(IntEnum):
    """Why a decision is what it is. One enum feeds the log, the metrics, the alert and the report."""

    WITHIN_BAND = 0
    LEARNING = 1
    TOO_FEW_UNITS = 2
    NO_DATA = 3
    EVIDENCE_GROWING = 4
    SHIFT = 5
    SILENT = 6
    PARENT_ALERTING = 7
    RECOVERED = 8
    NEW_NORMAL = 9
    DATA_RETURNED = 10
    DEFINITION_CHANGED = 11
    SERIES_RETIRED = 12
    MEASUREMENT_MOVED = 13
    HISTORY_ENDED = 14
    MEASUREMENT_RETURNED = 15
    HOLIDAY = 16
    DRIFT = 17
    DRIFT_ENDED = 18

    @property
    def label(self) -> str:
        """The name that leaves the program."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was observed in one bucket.

    Attributes:
        start_us: start of the bucket.
        end_us: its end.
        x: numerator or total of the bucket; 0 where nothing matched. Of a quantile or a derived
            metric, value times n.
        n: denominator: events that carry the value (`mean`, `quantile`), the denominator (`ratio`),
            events (`count`, `sum`), units (`uniques`), those of the divisor (`derived`).
        observed: whether the bucket says anything of the series: for totals, any event of any kind
            arrived; for the others, n > 0.
        above: of quantiles, how many events lie above the expected value, above the upper edge of the
            null band (at least), and above its lower edge (at most); NaN for other laws, None where
            no row is a quantile. float64[rows, 3]
    """

    start_us: int
    end_us: int
    x: Floats
    n: Floats
    observed: Bools
    above: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the baseline expects of one bucket, before it sees it.

    Attributes:
        level: the expected value: of a total, the expected x; else the expected x / n. NaN where
            nothing is known yet.
        units: expected n (of a total: equal to `level` for `count`); NaN where unknown.
        phi: dispersion: the variance of the bucket over that of the law at phi = 1.
        sd_level: relative standard deviation of `level` itself (sd_b).
        ready: whether the series may be judged.
        learning_us: how long it still needs to learn, microseconds; 0 when ready.
        tail: of quantiles, what is expected of the events above `level`; None where no row is one.
        wander: what autocorrelation carries into the next bucket; None where no row has any.
        holiday: rows of which the day is one, which are not judged; None where no row's is.
    """

    level: Floats
    units: Floats
    phi: Floats
    sd_level: Floats
    ready: Bools
    learning_us: Ints
    tail: "TailExpectation | None" = None
    wander: "Wander | None" = None
    holiday: Bools | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wander:
    """A wandering factor that a series carries on from bucket to bucket; all 0 where there is none.

    Attributes:
        ahead: its predicted relative deviation from `level`.
        variance: of the prediction.
        tau2: of the factor itself.
        rho: its correlation from bucket to bucket.
        size: squared errors of the predictions, over what they should be.
    """

    ahead: Floats
    variance: Floats
    tau2: Floats
    rho: Floats
    size: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class TailExpectation:
    """What the baseline expects of the events above a quantile's level; other rows mean nothing.

    Attributes:
        shift: log odds of their share, less those of `stats.tail.share_above`.
        deviation: standard deviation of `shift`.
        phi: dispersion of the share; NaN where unknown.
    """

    shift: Floats
    deviation: Floats
    phi: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the guard says of one bucket.

    Attributes:
        state: `State` codes. int8
        reason: `Reason` codes. int8
        log_m: natural log of the evidence M (the larger of shift and silence); -inf where none.
        direction: sign of the winning bet; 0 where none. int8
        start_us: estimated start of the shift: where the CUSUM of the winning bet last left 0.
        sum_x, sum_expected, sum_n: over the buckets from `start_us` to this one: observed x,
            expected x, observed n.
        sum_variance: variance of `sum_x` under the expectation (phi and the law's, no baseline error).
        lower, upper: bounds of values that are noise, in the units of the value; NaN where unknown.
        opened: the incident of this row begins with this bucket.
        closed: the incident of this row ends with this bucket; `reason` says why.
        pending: evidence is at or above the square root of the threshold, and no incident is open.
        open: an incident is open after this bucket.
        silent: totals whose last two buckets are 0 where they should not be; None where not told.
        family: of each row over the open incident of its whole (of a whole, its own): x, expected x,
            n, variance of x, expected n. Of silence nothing is summed. It means nothing where the whole
            has no open incident. float64[rows, 5]
        faded: units of the last days over those of the best ones lately, of segments that hold only a
            fraction of them any more; NaN of others, None where not told.
    """

    state: NDArray[np.int8]
    reason: NDArray[np.int8]
    log_m: Floats
    direction: NDArray[np.int8]
    start_us: Ints
    sum_x: Floats
    sum_expected: Floats
    sum_n: Floats
    sum_variance: Floats
    lower: Floats
    upper: Floats
    opened: Bools
    closed: Bools
    pending: Bools
    open: Bools
    silent: Bools | None = None
    family: Floats | None = None
    faded: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What never changes of a panel's rows, by row.

    Attributes:
        law: index into `LAWS` below. int8
        total: whether x alone is the value (count, sum, uniques).
        tail: of quantiles, 1 - q; NaN for other laws.
        log_threshold: natural log of A.
        min_relative_shift: half-width of the null band.
        min_units: fewer expected units than this are not judged.
        up, down: whether shifts of that direction are judged.
        page_no_data: whether silence is an alert.
        accept_after_us: how long a shift lasts before it is the new normal. int64
        parent: row of the whole of the same metric; -1 for a whole. int64
        covers: rows of the coarser segments that hold a combination, such as `DE` and `ios` of
            `DE,ios`; -1 where there is none. int64[rows, c]
        timezone: index into the panel's time zones. int16
    """

    law: NDArray[np.int8]
    total: Bools
    tail: Floats
    log_threshold: Floats
    min_relative_shift: Floats
    min_units: Floats
    up: Bools
    down: Bools
    page_no_data: Bools
    accept_after_us: Ints
    parent: Ints
    covers: Ints
    timezone: NDArray[Any]

    def under(self, flags: Bools) -> Bools:
        """Rows of which the whole, or a coarser segment, is flagged."""
        columns = np.concatenate([self.parent[:, None], self.covers], axis=1)
        found: Bools = ((columns >= 0) & flags[np.maximum(columns, 0)]).any(axis=1)
        return found

    def least_above(self, values: Ints) -> Ints:
        """By row, the least of its own value and those of the whole and coarser segments."""
        columns = np.concatenate([self.parent[:, None], self.covers], axis=1)
        above = np.where(columns >= 0, values[np.maximum(columns, 0)], FOREVER)
        least: Ints = np.minimum(values, above.min(axis=1))
        return least


LAWS = ("negative_binomial", "beta_binomial", "normal_sum", "normal_mean", "quantile")
"""Order of the law codes in `Traits.law`; the names of `definitions.plan.Law`."""
