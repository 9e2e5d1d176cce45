"""A bucket against the level that was usual when a release began."""

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.aggregate.panel import Panel
from monitor.guard import band_edges, tail_bets
from monitor.guard.bets import Bets, scale
from monitor.model.tick import (
    Bools,
    Expectation,
    Floats,
    Ints,
    Observation,
    TailExpectation,
    Traits,
    Wander,
)
from monitor.release.watch import Bucket, Watch
from monitor.stats import laws

if TYPE_CHECKING:
    from monitor.core.releases import Seen

MOST_SHARE = 1.0 - 1e-9


def subset_traits(traits: Traits, rows: Ints) -> Traits:
    """The traits of some rows, on their own: nothing is above them."""
    columns: dict[str, Any] = {f.name: getattr(traits, f.name)[rows] for f in fields(traits)}
    columns["parent"] = np.full(len(rows), -1)
    columns["covers"] = np.empty((len(rows), 0), np.int64)
    return Traits(**columns)


def frozen_bucket(watch: Watch, seen: "Seen", panel: Panel, bets: Bets) -> Bucket:
    """What a bucket says of the rows of a watch, without arms.

    Expectations are proportional to the level: what was usual before is what is expected now, times the
    level then over the level now.
    """
    there = watch.rows >= 0
    rows = np.where(there, watch.rows, 0)
    traits = subset_traits(seen.traits, rows)
    expected = _frozen(watch, seen, rows, traits)
    observation = _subset(seen.observation, rows)
    if expected.tail is not None:
        above = _above(seen, panel, rows, expected, traits)
        observation = replace(observation, above=above)
    unknown = tail_bets.unknown(observation, expected, traits)
    usable = there & ~unknown
    return bet(observation, expected, traits, bets, usable=usable, suspect=seen.suspect[rows])


def bet(
    seen: Observation,
    expected: Expectation,
    traits: Traits,
    bets: Bets,
    *,
    usable: Bools,
    suspect: Bools,
) -> Bucket:
    """The guard's bets of a bucket, for a watch; all of its rows."""
    with np.errstate(all="ignore"):
        scaled = scale(seen, expected, traits)
        payoffs = bets.pay(seen, expected, scaled, traits)
        return Bucket(
            start_us=seen.start_us,
            end_us=seen.end_us,
            x=seen.x,
            n=seen.n,
            mean=scaled.mean,
            variance=scaled.in_sums,
            log_bets=payoffs.log,
            log_start=payoffs.log_start,
            active=bets.active(expected, scaled, traits),
            observed=seen.observed & usable,
            few=~(expected.units >= traits.min_units),
            suspect=suspect,
        )


def _frozen(watch: Watch, seen: "Seen", rows: Ints, traits: Traits) -> Expectation:
    expected = seen.expectation
    with np.errstate(all="ignore"):
        factor = watch.table["base"] / seen.levels[rows]
        level = expected.level[rows] * factor
    share = traits.law == laws.BETA_BINOMIAL
    counts = traits.law == laws.NEGATIVE_BINOMIAL
    level = np.where(share, np.minimum(level, MOST_SHARE), level)
    tail, wander = expected.tail, expected.wander
    return Expectation(
        level=level,
        units=np.where(counts, level, expected.units[rows]),
        phi=expected.phi[rows],
        sd_level=watch.table["sd"].copy(),
        ready=watch.table["ready"].copy(),
        learning_us=np.zeros(len(rows), np.int64),
        wander=None if wander is None else _rows_of(wander, rows),
        tail=None
        if tail is None
        else TailExpectation(
            shift=tail.shift[rows], deviation=tail.deviation[rows], phi=tail.phi[rows]
        ),
    )


def unpredicted(expected: Expectation, traits: Traits) -> Expectation:
    """The expectation of a bucket that has long closed: nothing is predicted of it any more.

    The variance of any sum over a process with positive autocorrelation is at most that of as many
    independent terms with its long-run variance, which is what the dispersion is taken to be.
    """
    wander = expected.wander
    if wander is None:
        return expected
    with np.errstate(all="ignore"):
        mean = laws.expected_total(expected.level, expected.units, traits.total)
        long_run = mean * mean * wander.tau2 * (1.0 + wander.rho) / (1.0 - wander.rho)
        more = long_run / laws.variance(traits.law, expected.level, mean)
    phi = expected.phi + np.where(wander.tau2 > 0, more, 0.0)
    return replace(expected, phi=phi, wander=None)


def _rows_of(wander: Wander, rows: Ints) -> Wander:
    """What is carried on, as a deviation from the level of now; the band is for what the level did."""
    return Wander(**{f.name: getattr(wander, f.name)[rows] for f in fields(wander)})


def _subset(seen: Observation, rows: Ints) -> Observation:
    return Observation(
        start_us=seen.start_us,
        end_us=seen.end_us,
        x=seen.x[rows],
        n=seen.n[rows],
        observed=seen.observed[rows],
    )


def _above(seen: "Seen", panel: Panel, rows: Ints, expected: Expectation, traits: Traits) -> Floats:
    """How many events lie above the edges of the band around the frozen level."""
    edges = np.full((len(seen.traits.law), 3), np.nan)
    edges[rows] = band_edges(expected, traits)
    above: Floats = panel.above(seen.tick, edges)[rows]
    return above
