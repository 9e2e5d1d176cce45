"""The baseline of a panel: history, profile, level, dispersion and band, composed.

`expect` says what a bucket should hold and changes nothing; `learn` takes the bucket in. Work is done
when it falls due: sums every bucket, level and history every slot (hour), profile and band every day.

A series whose values are zero or negative (a mean or a sum below 0) has no profile on the log scale: it stays
`learning`.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.baseline import profile
from monitor.baseline.autocorrelation import Autocorrelation, Process
from monitor.baseline.band import Band
from monitor.baseline.days import weeks_of
from monitor.baseline.dispersion import Dispersion
from monitor.baseline.fitting import fit_profiles
from monitor.baseline.forecast import Forecast
from monitor.baseline.history import History
from monitor.baseline.level import Level
from monitor.baseline.quarters import Quarters
from monitor.baseline.slots import Slots
from monitor.baseline.tail import Tail
from monitor.baseline.weeks import against_profile, units_of
from monitor.model.drift import Weeks
from monitor.model.table import Column, Table
from monitor.model.tick import (
    Bools,
    Expectation,
    Floats,
    Ints,
    Observation,
    Traits,
)
from monitor.model.time import DAY, FOREVER, HOUR
from monitor.stats import laws

LEAST_COVERAGE = 0.5
"""A slot counts from this share of its buckets on; totals are scaled up to the whole."""
FORECAST_US = 5 * DAY
LEAST_FORECASTS = 5
"""How long, and in how many slots at least, forecasts are compared before a series is judged."""
CALM_SDS = 5.0
"""An hour that is off by less teaches its quarters."""
HOLD_US = DAY
"""The level is held at most this long."""
FORECASTS_KEPT = 2
"""Of cohorts two slots are asked for in turn: that of the judged one, and that of the newest."""
SMALLEST_LEVEL = 1e-9
"""Of counts and shares: what never happened has a level, and an error of it that is wide."""
LARGEST_SHARE = 1.0 - 1e-9
_NAN = float("nan")


class Baseline:
    """What is expected of every row of a panel, learnt from what was observed.

    Args:
        bucket_us: width of the panel's buckets, microseconds.
        timezones: IANA names; `Traits.timezone` are indices into it.
        holidays: days since 1970-01-01 that are neither judged nor learnt, each time zone's own.
    """

    def __init__(
        self, *, bucket_us: int, timezones: list[str], holidays: Collection[int] = ()
    ) -> None:
        self.bucket_us = bucket_us
        self._slots = Slots(bucket_us, timezones, holidays)
        self._history = History(self._slots.history)
        self._level = Level(self._slots.width_us / HOUR)
        self._dispersion = Dispersion(bucket_us, self._slots.share)
        self._autocorrelation = Autocorrelation(bucket_us, self._slots.share)
        self._tail = Tail(bucket_us, self._slots.share)
        self._quarters = Quarters(self._autocorrelation.per_slot)
        self._band = Band(self._slots.day, self._slots.week)
        week = (self._slots.week,)
        self._rows = Table(
            {
                "x": Column(dtype="f8"),
                "n": Column(dtype="f8"),
                "buckets": Column(dtype="i4"),
                "shape": Column(dtype="f8"),
                "variance": Column(dtype="f8"),
                "held": Column(dtype="?"),
                "held_slots": Column(dtype="i4"),
                "incident_us": Column(dtype="i8", fill=FOREVER),
                "last_incident_us": Column(dtype="i8", fill=FOREVER),
                "first": Column(dtype="i4", fill=-1),
                "forecasts": Column(dtype="i4"),
                "phi": Column(dtype="f8", fill=_NAN),
                "weeks": Column(dtype="i1"),
                "left": Column(dtype="f8", fill=1.0),
                "profile": Column(dtype="f2", shape=week, fill=_NAN),
                "full": Column(dtype="u1"),
            }
        )
        self._slot: int | None = None
        self._next_us = 0
        self._fitted_day, self._fitted_slot = 0, 0
        self._forecasts: dict[int, Forecast] = {}

    @property
    def size(self) -> int:
        """Rows of the panel."""
        return self._rows.size

    def append(self, count: int) -> None:
        """Add rows that nothing is known of."""
        for table in self._tables().values():
            table.append(count)
        self._forecasts.clear()

    def clear(self, rows: Ints) -> None:
        """Forget all of these rows."""
        for table in self._tables().values():
            table.clear(rows)
        self._forecasts.clear()

    @property
    def levels(self) -> Floats:
        """The level in use by row: expectations are proportional to it; NaN where there is none."""
        levels: Floats = self._level.table["base"].copy()
        return levels

    def expect(self, start_us: int, end_us: int, traits: Traits) -> Expectation:
        """What the bucket should hold, of all rows; changes nothing that is learnt."""
        forecast = self._forecast(self._slots.of(start_us), traits)
        gap = (start_us - self._next_us) // self.bucket_us if self._next_us else 0
        wander = self._autocorrelation.predict(gap)
        return forecast.bucket(start_us, end_us, wander)

    def _forecast(self, slot: int, traits: Traits) -> Forecast:
        if slot not in self._forecasts:
            if len(self._forecasts) >= FORECASTS_KEPT:
                del self._forecasts[next(iter(self._forecasts))]
            with np.errstate(all="ignore"):
                self._forecasts[slot] = self._make_forecast(slot, traits)
        return self._forecasts[slot]

    @property
    def learnt_until_us(self) -> int | None:
        """End of the newest bucket that was learnt; None before the first."""
        return self._next_us or None

    def memory_us(self) -> Floats:
        """By row, in what time its level forgets the past, and learns a shift that nobody suspects."""
        return self._level.memory() * self._slots.width_us

    def learn(
        self,
        observation: Observation,
        expectation: Expectation,
        traits: Traits,
        *,
        hold: Bools,
        incident_start_us: Ints,
        accepted: Bools,
    ) -> None:
        """Take in a judged bucket; buckets come in the order of time, gaps are allowed.

        Args:
            observation: the bucket.
            expectation: what was expected of it.
            traits: of the rows.
            hold: rows whose level must not learn: they or their parent have an open incident, or
                evidence of one.
            incident_start_us: estimated start of the row's (or its parent's) open incident; FOREVER
                where none is open.
            accepted: rows whose shift has become the new normal; their children follow.
        """
        slots = self._slots
        slots.anchor(observation.start_us)
        slot = slots.of(observation.start_us)
        with np.errstate(all="ignore"):
            if self._slot is not None and self._slot != slot:
                self._commit(self._slot, traits)
            self._slot = slot
            if observation.start_us != self._next_us:
                self._dispersion.forget_previous()
                self._autocorrelation.forget_previous()
                self._tail.forget_previous()
            self._next_us = observation.end_us
            taught = _without(observation, expectation.holiday)
            self._sum_up(slot, taught, expectation, traits, hold)
            self._note_incidents(incident_start_us)
            if accepted.any():
                self._accept(accepted, traits)
            if slots.of(observation.end_us) != slot:
                self._commit(slot, traits)
                self._slot = None

    def weeks(self, rows: Ints, traits: Traits) -> Weeks | None:
        """The newest four weeks of some rows, as whole days; None where there are no days."""
        return weeks_of(self._history, self._slots, rows, traits)

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "tables": {name: table.dump() for name, table in self._tables().items()},
            "newest": self._history.newest,
            "slots": self._slots.dump(),
            "slot": self._slot,
            "next_us": self._next_us,
            "fitted_day": self._fitted_day,
            "fitted_slot": self._fitted_slot,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._tail.on = "tail" in state["tables"]
        for name, table in self._tables().items():
            table.load(state["tables"][name])
        self._history.newest = state["newest"]
        self._slots.load(state["slots"])
        self._slot = state["slot"]
        self._next_us = state["next_us"]
        self._fitted_day = state["fitted_day"]
        self._fitted_slot = state["fitted_slot"]
        self._autocorrelation.loaded()
        self._forecasts.clear()

    def _tables(self) -> dict[str, Table]:
        return {
            "rows": self._rows,
            "history": self._history.table,
            "level": self._level.table,
            "dispersion": self._dispersion.table,
            "band": self._band.table,
            "quarters": self._quarters.table,
            "autocorrelation": self._autocorrelation.table,
            **self._tail.tables(),
        }

    def _sum_up(
        self, slot: int, seen: Observation, expected: Expectation, traits: Traits, hold: Bools
    ) -> None:
        rows, level = self._rows, expected.level
        mean = laws.expected_total(level, seen.n, traits.total)
        # of rough quarters the variance is larger than that of the law, in the same measure as phi
        rough = expected.phi / rows["phi"]
        rough = np.where(rough > 1.0, rough, 1.0)
        variance = rough * laws.variance(traits.law, level, mean)
        used = seen.observed & (variance > 0)
        new = seen.observed & (rows["first"] < 0)
        rows["first"] = np.where(new, slot, rows["first"])
        rows["x"] += np.where(seen.observed, seen.x, 0.0)
        rows["n"] += np.where(seen.observed, seen.n, 0.0)
        rows["buckets"] += seen.observed | ~(traits.total | _flags(expected.holiday, rows.size))
        rows["shape"] += np.where(used, mean / self._level.table["base"], 0.0)
        rows["variance"] += np.where(used, variance, 0.0)
        rows["held"] |= hold
        learns = used & ~(hold & self._may_hold())
        self._dispersion.learn((seen.x - mean) / np.sqrt(variance), learns)
        self._quarters.learn(self._slots.place(seen.start_us), seen.x, mean, used)
        noise = variance / (mean * mean)
        self._autocorrelation.learn(
            self._slots.place(seen.start_us),
            seen.x / mean - 1.0,
            rows["phi"] * noise,
            noise,
            learns=learns,
            used=used,
            wander=expected.wander,
        )
        if seen.above is not None:
            self._tail.begin(self.size)
            self._tail.learn(seen.above[:, 0], seen.n, traits.tail, learns)

    def _may_hold(self) -> Bools:
        result: Bools = self._rows["held_slots"] < max(1, HOLD_US // self._slots.width_us)
        return result

    def _note_incidents(self, start_us: Ints) -> None:
        rows = self._rows
        rows["incident_us"] = np.minimum(rows["incident_us"], start_us)
        is_open = start_us < FOREVER
        rows["last_incident_us"] = np.where(is_open, start_us, rows["last_incident_us"])

    def _commit(self, slot: int, traits: Traits) -> None:
        """End a slot: history, level, errors; at the end of a day also what is fitted daily."""
        rows = self._rows
        coverage = rows["buckets"] * self._slots.share
        enough = (coverage >= LEAST_COVERAGE - 1e-9) & (traits.total | (rows["n"] > 0))
        self._remember(slot, enough, coverage)
        held = rows["held"] & self._may_hold()
        self._learn_level(slot, enough, held, traits)
        rows["held_slots"] = np.where(rows["held"], rows["held_slots"] + 1, 0)
        self._autocorrelation.commit(rows["phi"], traits.law != laws.QUANTILE)
        rows["phi"] = self._phi(traits)
        day = (slot + 1) // self._slots.day
        if day > self._fitted_day:
            self._fitted_day = day
            self._level.choose()
            self._band.close_day()
            self._fit(traits)
            self._quarters.find_weekends(rows["profile"])
        self._set_base(slot + 1, traits)
        for name in ("x", "n", "buckets", "shape", "variance", "held"):
            rows[name] = np.zeros_like(rows[name])
        self._forecasts.clear()

    def _phi(self, traits: Traits) -> Floats:
        least = _least_phi(traits)
        plain, one = self._dispersion.value(least, self._rows["weeks"], self._rows["left"])
        return self._autocorrelation.dispersion(plain, one, least)

    def _remember(self, slot: int, enough: Bools, coverage: Floats) -> None:
        rows, history = self._rows, self._history
        x, n = (np.where(enough, rows[name] / coverage, np.nan) for name in ("x", "n"))
        incident_us = rows["incident_us"]
        marked = incident_us < FOREVER
        history.push(slot, x, n, marked)
        at = np.flatnonzero(marked)
        history.mark(at, np.array([self._slots.of(t) for t in incident_us[at].tolist()], np.int64))
        rows["incident_us"] = np.full(rows.size, FOREVER)

    def _learn_level(self, slot: int, enough: Bools, held: Bools, traits: Traits) -> None:
        rows, level = self._rows, self._level
        expected = rows["shape"] * level.table["base"]
        forecast = enough & (expected > 0) & (rows["weeks"] > 0)
        rows["forecasts"] += enough & (rows["weeks"] > 0)
        known = forecast & ~np.isnan(rows["phi"])
        process = self._autocorrelation.process()
        chance = rows["phi"] * rows["variance"] + process.slot * expected * expected
        noise = np.where(known, chance / (expected * expected), np.nan)
        error = self._band_variance(noise, process)
        calm = CALM_SDS * np.sqrt(noise + error)
        calm = forecast & ~held & (np.abs(rows["x"] / expected - 1.0) < calm)
        self._learn_quarters(slot, traits, noise, calm)
        y = np.where(known, rows["x"] / rows["shape"], np.nan)
        level.commit(slot, y, noise, error, held)
        # Errors count in an incident too: they are robust, and a band that only saw calm hours
        # would be too narrow wherever the baseline is poor.
        self._band.learn(rows["x"], expected, chance, known)

    def _learn_quarters(self, slot: int, traits: Traits, noise: Floats, calm: Bools) -> None:
        forecast = self._forecast(slot, traits)
        if forecast.parts is not None:
            local = self._slots.local(slot)[traits.timezone] % self._slots.week
            of_bucket = forecast.noise[:, None] * np.exp(-forecast.parts)
            of_bucket = of_bucket + self._autocorrelation.process().tau2[:, None]
            self._quarters.commit(
                local, forecast.parts, calm, self._quarter_noise(noise), of_bucket
            )

    def _quarter_noise(self, noise: Floats) -> Floats:
        """Relative variance of a quarter's share of an hour that varies by `noise`."""
        return (self._quarters.parts - 1.0) * noise

    def _set_base(self, slot: int, traits: Traits) -> None:
        self._level.set_base(slot)
        counting = _least_phi(traits) > 0
        base = self._level.table["base"]
        base = np.where(counting, np.maximum(base, SMALLEST_LEVEL), base)
        self._level.table["base"] = np.where((self._rows["weeks"] > 0) & (base > 0), base, np.nan)

    def _fit(self, traits: Traits) -> None:
        """Fit the profiles of all rows; give a first level to those that had none."""
        rows, process = self._rows, self._autocorrelation.process()
        had = rows["weeks"] > 0
        per_slot = self._autocorrelation.per_slot
        self._fitted_slot = self._history.newest or 0
        fit_profiles(rows, self._history, self._slots, process, per_slot=per_slot, traits=traits)
        has = rows["weeks"] > 0
        rows["forecasts"] = np.where(has, rows["forecasts"], 0)
        rows["first"] = np.where(had & ~has, -1, rows["first"])  # a long gap: all over again
        new = np.flatnonzero(has & ~had)
        if new.size:
            self._first_level(new, traits)

    def _first_level(self, at: Ints, traits: Traits) -> None:
        slots, shape, x = against_profile(
            self._history, self._slots, self._rows["profile"], at, traits
        )
        known = (
            (shape > 0) & ~np.isnan(x) & ~self._history.read(at, np.arange(self._history.length))[2]
        )
        shape = np.where(known, shape, 0.0)
        weight = shape / np.mean(shape, axis=1)[:, None]
        self._level.start(at, slots, np.where(known, x / shape, np.nan), weight)

    def _accept(self, accepted: Bools, traits: Traits) -> None:
        """Put the level where the incident has it, by the newest slots that lie inside it."""
        accepted = accepted | traits.under(accepted)
        at = np.flatnonzero(accepted & (self._rows["weeks"] > 0))
        if not at.size or self._history.newest is None:
            return
        rows = self._rows
        slots, shape, x = against_profile(
            self._history, self._slots, self._rows["profile"], at, traits
        )
        starts = rows["last_incident_us"][at].tolist()
        since = np.array([self._slots.of(t) for t in starts], np.int64)
        newest = max(1, HOLD_US // self._slots.width_us)
        inside = (slots > since[:, None]) & (slots > self._history.newest - newest)
        inside &= (shape > 0) & ~np.isnan(x)
        total = np.where(inside, x, 0.0).sum(axis=1) + rows["x"][at]
        at_one = np.where(inside, shape, 0.0).sum(axis=1) + rows["shape"][at]
        level = np.full(rows.size, np.nan)
        level[at] = total / at_one
        usable = accepted & (level > 0)
        self._level.put(usable, level)
        rows["shape"] = np.where(usable, 0.0, rows["shape"])
        rows["held"] |= usable
        self._forecasts.clear()

    def _make_forecast(self, slot: int, traits: Traits) -> Forecast:
        rows, slots = self._rows, self._slots
        local = slots.local(slot)[traits.timezone] % slots.week
        five = profile.around(rows["profile"], local)
        slope, curve = profile.interpolate(five)
        value = self._level.table["base"] * np.exp(five[2])
        n = units_of(
            self._history,
            slots,
            fitted=self._fitted_slot,
            slot=slot,
            full=rows["full"],
            zones=traits.timezone,
        )
        mean = laws.expected_total(value, n, traits.total)
        noise = rows["phi"] * laws.variance(traits.law, value, mean) / (mean * mean)
        process = self._autocorrelation.process()
        variance = self._band_variance(noise + process.slot, process)
        forecasts = max(FORECAST_US // slots.width_us, LEAST_FORECASTS)
        is_share = traits.law == laws.BETA_BINOMIAL
        parts = self._quarters.factors(local, self._quarter_noise(noise + process.slot))
        rough = None
        if parts is not None:
            of_bucket = noise[:, None] / slots.share * np.exp(-parts)
            rough = self._quarters.roughness(local, of_bucket, process.tau2)
        zones = slots.holiday(slot)
        holiday = None if zones is None or not zones.any() else zones[traits.timezone]
        ready = (rows["forecasts"] >= forecasts) & ~np.isnan(value) & ~np.isnan(rows["phi"])
        return Forecast(
            start_us=slots.start(slot),
            width_us=slots.width_us,
            share=slots.share,
            mean=np.where(traits.total, value * slots.share, value),
            slope=slope,
            curve=curve,
            parts=parts,
            rough=rough,
            noise=noise / slots.share,
            ceiling=np.where(is_share, LARGEST_SHARE, np.inf),
            count=traits.law == laws.NEGATIVE_BINOMIAL,
            units=n * slots.share,
            phi=rows["phi"].copy(),
            sd_level=np.where(np.isnan(variance), np.inf, np.sqrt(variance)),
            ready=ready if holiday is None else ready & ~holiday,
            ready_us=self._ready_us(slot, forecasts),
            holiday=holiday,
            tail=self._tail.expected(traits),
        )

    def _band_variance(self, noise: Floats, process: Process) -> Floats:
        """sd_b^2 where a slot has this relative variance by chance, autocorrelation included."""
        rows = self._rows
        together = 1.0 + (process.long - process.slot) / noise
        of_profile = profile.MEDIAN_OF_WEEKS * noise / rows["weeks"] * rows["left"]
        level = self._level.variance() * together
        return self._band.variance(of_profile, level, self._autocorrelation.on)

    def _ready_us(self, slot: int, forecasts: int) -> Ints:
        """When each row should have its weeks, the lag, and its forecasts."""
        rows, slots = self._rows, self._slots
        first = np.where(rows["first"] < 0, slot, rows["first"]).astype(np.int64)
        weeks = int(np.ceil((1.0 + profile.COVERAGE) * slots.week))
        profile_slot = np.maximum(first + weeks + slots.lag, slot + 1)
        profile_slot = -(-profile_slot // slots.day) * slots.day
        start = np.where(rows["weeks"] > 0, slot - rows["forecasts"], profile_slot)
        result: Ints = slots.anchor_us + (start + forecasts) * slots.width_us
        return result


def _flags(flags: Bools | None, size: int) -> Bools:
    return np.zeros(size, dtype=np.bool_) if flags is None else flags


def _without(seen: Observation, holiday: Bools | None) -> Observation:
    """The observation as if nothing had been seen on a holiday."""
    if holiday is None:
        return seen
    return replace(seen, observed=seen.observed & ~holiday)


def _least_phi(traits: Traits) -> Floats:
    """1 for counts and shares, whose laws hold at least; 0 for what is only scaled by phi."""
    counting = (traits.law == laws.NEGATIVE_BINOMIAL) | (traits.law == laws.BETA_BINOMIAL)
    least: Floats = counting.astype(np.float64)
    return least
