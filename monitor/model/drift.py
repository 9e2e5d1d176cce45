"""Weeks against the weeks before, once a day: what a slow drift is seen by."""

from dataclasses import dataclass

from monitor.model.tick import Bools, Floats, Ints

DAYS = 7
STEPS = 3
"""Of four weeks, three steps from one to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weeks:
    """The newest four weeks of some rows, a weekday against the same one a week before.

    Attributes:
        rows: which rows of the panel. int64[k]
        start_us, end_us: the newest week.
        steps: log of a day's value over that of the same weekday a week before, over the hours that
            both have outside incidents; newest week first, days in order; NaN where unknown.
            float64[k, 3, 7]
        value, before: value of the newest week and of the one before over the same hours: of totals a
            bucket's mean.
        n: units of the newest week.
    """

    rows: Ints
    start_us: int
    end_us: int
    steps: Floats
    value: Floats
    before: Floats
    n: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifting:
    """What the guard says of the drifts of one day, by entry of `Weeks.rows`.

    Attributes:
        opened, closed, open: as in `Decision`.
        moved: log of the newest week over the one before, beyond the growth that was there before.
        trend: log growth a week that was there before.
        sd: standard deviation of `moved` by the scatter of the days alone.
        surprise: natural log of 1 over the chance that a series which wanders as this one does moves
            as far, both directions counted that are asked for.
    """

    opened: Bools
    closed: Bools
    open: Bools
    moved: Floats
    trend: Floats
    sd: Floats
    surprise: Floats
