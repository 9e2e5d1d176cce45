"""The weekly profile: the shape of a week, from up to four of them.

`P = median over weeks of (y - level of the week - slope * position)` on the log scale, slope = minmod
of what adjacent weeks differ by (GUARD.md, the baseline, 2). Inside the hour the profile is a
parabola that keeps the mean of every hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.baseline.smoothing import scatter, smooth
from monitor.model.tick import Bools, Floats, Ints
from monitor.stats import laws
from monitor.stats.laws import Codes
from monitor.stats.robust import Array, count_last, mean_last, median_last, middle, minmod_last

COVERAGE = 0.7
"""A week needs this share of its slots; two such weeks make a profile."""
LEAST_WEEKS = 2
MEDIAN_OF_WEEKS = 1.25
"""Variance of a median of four values over that of their mean."""
MOST_SLOPE = 0.15
"""Log growth a week that is believed: 2 % a day."""
DISAGREEMENT = 6.0
"""Two weeks that differ by more than this times the median difference have one wrong value."""
LEAST_DISAGREEMENT = 0.05
MOST_OF_ONE = 0.7
"""What one week alone says is believed up to twice, or half, of what is usual at that time of day; beyond that it
may be a weekend or an outage, and nothing is expected until another week is known."""
MOST_BEND = 3.0
"""A curve whose second difference is more than this times a neighbour's is no parabola."""
LEAST_BUSY = 0.01
"""Slots with less than this share of the mean have no say in what a slot varies by."""
_UNITS_FROM = 3
"""Of this many weeks the least busy is not taken for the forecast of units: it may be an outage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weeks:
    """The newest weeks of some series, oldest week first, by slot of the local week.

    Attributes:
        x, n: sums of the slot. float64[rows, slots, weeks]
        marked: slots of an incident.
        position: where in its week each slot stands, -0.5 to 0.5. float64[slots]
    """

    x: Floats
    n: Floats
    marked: Bools
    position: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What `fit` finds. Rows without a profile hold NaN.

    Attributes:
        shape: log of the slot's value over that of the week; NaN too where one week alone knows a slot
            and tells what cannot be believed. float64[rows, slots]
        full: which weeks have enough of their slots, see `usual_units`. bool[rows, weeks]
        weeks: how many weeks it is made of; 0 where there is no profile.
        left: share of the noise of its slots that smoothing has left in it.
    """

    shape: Floats
    full: Bools
    weeks: Ints
    left: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """What a slot varies by, by row.

    Attributes:
        white: relative variance by its law; NaN where unknown.
        wander: by a factor that wanders.
        rho: correlation of that factor from slot to slot.
    """

    white: Floats
    wander: Floats
    rho: Floats


def fit(weeks: Weeks, total: Bools, share: Bools, chance: Chance) -> Profile:
    """Profile of each row.

    Args:
        weeks: what is known.
        total: rows whose value is x alone; of the others it is x / n.
        share: rows whose x counts some of its n: what never happened is half an event of all n.
        chance: what its slots vary by.
    """
    y = _log_values(weeks, total, share)
    slots = y.shape[1]
    full = np.count_nonzero(~np.isnan(y), axis=1) >= COVERAGE * slots
    y = np.where(full[:, None, :], y, np.nan)
    clean = np.where(weeks.marked, np.nan, y)
    y = np.where((count_last(clean) >= LEAST_WEEKS)[..., None], clean, y)
    level, slope = _levels(y)
    rest = y - level[:, None, :] - slope[:, None, None] * weeks.position[None, :, None]
    shape = median_last(rest)
    known = count_last(rest)
    pairs = np.flatnonzero((known == LEAST_WEEKS).any(axis=1))
    if pairs.size:
        shape[pairs] = _of_two(rest[pairs])
    doubtful = np.zeros(shape.shape, dtype=np.bool_)
    single = np.flatnonzero((known == 1).any(axis=1))
    if single.size:
        daily = _time_of_day(rest[single])
        odd = (known[single] == 1) & (np.abs(shape[single] - daily) > MOST_OF_ONE)
        shape[single] = np.where(odd, daily, shape[single])
        doubtful[single] = odd
    shape = _fill(shape)
    count = np.where(np.count_nonzero(full, axis=1) >= LEAST_WEEKS, full.sum(axis=1), 0)
    shape = shape - np.mean(shape, axis=1)[:, None]
    # Only what differs from week to week is chance: a poor profile makes residuals that wander too.
    between = scatter(rest)
    wander = np.fmax(np.minimum(chance.wander, between - np.fmax(chance.white, 0.0)), 0.0)
    white = np.fmax(np.fmax(chance.white, between - wander), 0.0)
    one = MEDIAN_OF_WEEKS / np.maximum(count, 1)
    shape, left = smooth(shape, one * white, one * wander, chance.rho)
    return Profile(
        shape=np.where((count[:, None] > 0) & ~doubtful, shape, np.nan),
        full=full,
        weeks=count,
        left=left,
    )


def around(shapes: Array, slot: Ints) -> list[Floats]:
    """Log profile of five slots of each row, from two before one to two after it.

    Args:
        shapes: of all rows. float[rows, slots]
        slot: by row.
    """
    rows, week = np.arange(slot.size), shapes.shape[1]
    return [shapes[rows, (slot + step) % week].astype(np.float64) for step in range(-2, 3)]


def interpolate(five: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Coefficients `(s, c)` of `f(u) = here + s u + c (u^2 - 1/12)`, u in [-1/2, 1/2] of the slot.

    The mean of f over the slot is `here`. A step profile would bias the first and the last bucket of
    an hour; a parabola overshoots where the profile itself has a step (doors open at 8). So the
    parabola is kept where the second differences of neighbours agree; elsewhere it is a straight
    line, no steeper than twice what it rises to either side (limiters of the piecewise parabolic
    method: Colella and Woodward 1984, Colella and Sekora 2008).

    Args:
        five: log profile of the slots from two before to two after.
    """
    bends = [five[k - 1] - 2.0 * five[k] + five[k + 1] for k in (1, 2, 3)]
    least = np.minimum(np.abs(bends[0]), np.abs(bends[2]))
    smooth = (bends[0] * bends[1] > 0) & (bends[1] * bends[2] > 0)
    smooth &= np.abs(bends[1]) <= MOST_BEND * least
    rise, fall = five[2] - five[1], five[3] - five[2]
    slope = 0.5 * (rise + fall)
    steepest = 2.0 * np.minimum(np.abs(rise), np.abs(fall)) * (rise * fall > 0)
    limited = np.clip(slope, -steepest, steepest)
    limited = np.where(np.isnan(limited), 0.0, limited)  # beside a slot that is not known
    return np.where(smooth, slope, limited), np.where(smooth, 0.5 * bends[1], 0.0)


def law_chance(weeks: Weeks, law: Codes, total: Bools, phi: Floats) -> Floats:
    """Relative variance of a slot by the law, the mean over the slots; NaN where phi is."""
    x, n = (mean_last(v) for v in (weeks.x, weeks.n))
    floor = np.maximum(mean_last(x), 0.0)[:, None] * LEAST_BUSY
    level = np.where(total[:, None], x, x / n)
    relative = laws.variance(law[:, None], level, x) / (x * x)
    relative = np.where(x > floor, relative, np.nan)
    result: Floats = phi * mean_last(relative)
    return result


def _log_values(weeks: Weeks, total: Bools, share: Bools) -> Floats:
    """Log of the slot's value, with half a typical unit added: a slot of 0 is rare, not impossible.

    Of a share that is half an event, and as many units as one half has: of a rare one half of a unit's
    events would be next to nothing, and the log of a slot without any far below all others.
    """
    usable = ~np.isnan(weeks.x) & (weeks.n > 0)
    x, n = (np.where(usable, v, 0.0).sum(axis=(1, 2)) for v in (weeks.x, weeks.n))
    least = np.where(share, 0.5, 0.0)
    typical = (np.maximum(x, least) / np.where(n > 0, n, 1.0))[:, None, None]
    quotient = ~total[:, None, None]
    more = np.where(share[:, None, None], 0.5 / typical, 0.5)
    value = (weeks.x + more * typical) / np.where(quotient, weeks.n + more, 1.0)
    known = ~np.isnan(weeks.x) & (~quotient | (weeks.n > 0)) & (value > 0)
    return np.log(np.where(known, value, 1.0)) + np.where(known, 0.0, np.nan)


def _levels(y: Floats) -> tuple[Floats, Floats]:
    """Level of each week and growth a week, from the slots that neighbours have in common."""
    weeks = y.shape[2]
    level = np.zeros((y.shape[0], weeks))
    steps = np.full((y.shape[0], weeks - 1), np.nan)
    last, last_level = y[:, :, 0], level[:, 0]
    distance = np.ones(y.shape[0])
    for k in range(1, weeks):
        step = median_last(y[:, :, k] - last)
        known = ~np.isnan(step)
        steps[:, k - 1] = step / distance
        level[:, k] = last_level + np.where(known, step, 0.0)
        present = (count_last(y[:, :, k]) > 0)[:, None]
        last = np.where(present, y[:, :, k], last)
        last_level = np.where(present[:, 0], level[:, k], last_level)
        distance = np.where(present[:, 0], 1.0, distance + 1.0)
    return level, np.clip(minmod_last(steps), -MOST_SLOPE, MOST_SLOPE)


def _of_two(rest: Array) -> Array:
    """Medians; where only two weeks are known and they disagree, the one nearer to the time of day.

    There may be two because the series is young, or because other weeks have a gap or an incident.
    """
    ordered, count = np.sort(rest, axis=-1), count_last(rest)
    both = count == LEAST_WEEKS
    gap = ordered[..., 1] - ordered[..., 0]
    limit = np.maximum(DISAGREEMENT * median_last(gap), LEAST_DISAGREEMENT)[:, None]
    daily = _time_of_day(rest)
    low_is_nearer = np.abs(ordered[..., 0] - daily) <= np.abs(ordered[..., 1] - daily)
    nearer = np.where(low_is_nearer, ordered[..., 0], ordered[..., 1])
    return np.where(both & (gap > limit), nearer, middle(ordered, count))


def _time_of_day(rest: Array) -> Array:
    """Median over the days of the week and the weeks, by slot."""
    rows, slots, weeks = rest.shape
    days = 7 if slots % 7 == 0 else 1
    by_time = rest.reshape(rows, days, slots // days, weeks).transpose(0, 2, 1, 3)
    daily = median_last(by_time.reshape(rows, slots // days, days * weeks))
    return np.tile(daily, (1, days))


def _fill(shape: Array) -> Array:
    """Slots that no week has: as the same time on other days; else as the week's mean."""
    if not np.isnan(shape).any():
        return shape
    daily = _time_of_day(shape[..., None])
    filled = np.where(np.isnan(shape), daily, shape)
    return np.where(np.isnan(filled), 0.0, filled)


def usual_units(n: Floats, marked: Bools, full: Bools) -> Floats:
    """A low but common n of a slot: the second lowest of its weeks, of two the lowest.

    Outages and growth must not raise it.

    Args:
        n: of the slot, by row and week; NaN where unknown.
        marked: whether it is of an incident.
        full: which weeks have enough of their slots.
    """
    n = np.where(full, n, np.nan)
    clean = np.where(marked, np.nan, n)
    n = np.where((count_last(clean) > 0)[..., None], clean, n)
    ordered, count = np.sort(n, axis=-1), count_last(n)
    low = np.where(count >= _UNITS_FROM, ordered[..., 1], middle(ordered, np.minimum(count, 1)))
    units: Floats = np.where(np.isnan(low), 0.0, low)
    return units
