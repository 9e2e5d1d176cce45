"""The mass events one by one, with their actors: requests, and visits from view to order."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from monitor.ingest.synthetic.amounts import amounts, durations
from monitor.ingest.synthetic.block import BAD, Block
from monitor.ingest.synthetic.chance import copies, sizes
from monitor.ingest.synthetic.market import (
    APPETITE,
    CLUSTER,
    GOES_ON,
    PLATFORM_SHARES,
    PLATFORMS,
    STEP_MINUTES,
    STEPS,
    VISITS,
    Floats,
    Ints,
)
from monitor.ingest.synthetic.occasions import Occasions
from monitor.ingest.synthetic.rates import taken_up
from monitor.ingest.synthetic.writing import Batch, Measured, Writer, rounded
from monitor.model.time import MINUTE, SECOND

_LONGEST: Final = 55 * MINUTE
"""From the first view to the order, at most: no visit spans more than two blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """What single actors do of one kind.

    Attributes:
        at: when, and of what.
        actor: numbers of people.
    """

    at: Occasions
    actor: Ints

    def taken(self, which: Ints) -> "Clusters":
        """Those of these indices, as often as they occur in it."""
        return Clusters(at=self.at.taken(which), actor=self.actor[which])


def visits(block: Block, rng: np.random.Generator) -> list[Clusters]:
    """The visits that begin in a block: the events of each of `STEPS`, those after its end too."""
    rates = block.rates
    mean = VISITS * rates.busy(block.minutes_us)[:, :, None] * PLATFORM_SHARES
    there = _arrive(block, rng, rng.poisson(mean), partial(block.versions, rng))
    begun_us = there.at.time_us
    found: list[Clusters] = []
    for number, (step, share, minutes) in enumerate(zip(STEPS, GOES_ON, STEP_MINUTES, strict=True)):
        if number:
            chance = share * (APPETITE[there.at.country] if number == 1 else 1.0)
            on = np.flatnonzero(rng.random(len(there.actor)) < chance)
            there, begun_us = there.taken(on), begun_us[on]
            waits = rng.exponential(minutes * MINUTE, len(on)).astype(np.int64)
            later = np.minimum(there.at.time_us + waits + SECOND, begun_us + _LONGEST)
            there = Clusters(at=replace(there.at, time_us=later), actor=there.actor)
        factor = rates.factor(step, there.at)
        if step == "order":
            factor = factor * _sold(block, there.at)
        seen = np.repeat(np.arange(len(factor)), copies(rng, factor))
        found.append(_spread(rng, there.taken(seen)))
    return found


def write_visits(
    writer: Writer, rng: np.random.Generator, block: Block, begun: list[list[Clusters]]
) -> list[Batch]:
    """The events of visits that fall into a block; `begun` in it and in the one before."""
    found = []
    for number, step in enumerate(STEPS):
        for visit in begun:
            clusters = visit[number]
            time_us = clusters.at.time_us
            inside = (block.start_us <= time_us) & (time_us < block.stop_us)
            own = clusters.taken(np.flatnonzero(inside))
            priced = step == "order"
            values = rounded(amounts(rng, len(own.actor)), 2) if priced else []
            found.append(
                writer.single(
                    step,
                    replace(own.at, version=_still(block, own.at)),
                    visitors(own.actor),
                    measured=Measured(field="amount", values=values) if priced else None,
                )
            )
    return found


def write_requests(writer: Writer, rng: np.random.Generator, block: Block) -> list[Batch]:
    """The requests of a block, in clusters of one outcome."""
    found = []
    for status, mean in zip(("ok", "error"), block.requests(), strict=True):
        draw = partial(block.versions, rng, event="error" if status == "error" else "")
        there = _spread(rng, _arrive(block, rng, rng.poisson(mean / CLUSTER), draw))
        took = rounded(durations(rng, len(there.actor)), 1)
        found.append(
            writer.single(
                "request",
                there.at,
                visitors(there.actor),
                more=f',"status":"{status}"',
                measured=Measured(field="duration_ms", values=took),
            )
        )
    return found


def visitors(numbers: Ints) -> list[str]:
    """Names of people who did not sign up."""
    return [f"v{number:x}" for number in numbers.tolist()]


def _arrive(
    block: Block, rng: np.random.Generator, counts: Ints, versions: partial[Ints]
) -> Clusters:
    """The clusters of a block; `counts` by minute, country and platform."""
    flat = np.repeat(np.arange(counts.size), counts.ravel())
    minute, country, platform = np.unravel_index(flat, counts.shape)
    time_us = block.moments(rng, minute)
    at = Occasions(
        time_us=time_us, country=country, platform=platform, version=versions(time_us, platform)
    )
    return Clusters(at=at, actor=rng.integers(0, 2**48, len(flat)))


def _spread(rng: np.random.Generator, clusters: Clusters) -> Clusters:
    """The events of clusters, each within the minute of its cluster."""
    size = sizes(rng, len(clusters.actor))
    event = clusters.taken(np.repeat(np.arange(len(size)), size))
    time_us = event.at.time_us
    rest_us = MINUTE - 1000 - time_us % MINUTE
    # The square: soon rather than late.
    pause = (rest_us * rng.random(len(rest_us)) ** 2).astype(np.int64) // 1000 * 1000
    pause[np.cumsum(size) - size] = 0
    at = replace(event.at, time_us=time_us + pause)
    return Clusters(at=at, actor=event.actor)


def _sold(block: Block, at: Occasions) -> Floats:
    """What bad releases leave of the orders of their version."""
    found = np.ones(len(at))
    for release in block.releases:
        own = (at.version == BAD) & (at.platform == PLATFORMS.index(release.platform))
        found[own & (taken_up(release, at.time_us) > 0)] = 1 + release.orders
    return found


def _still(block: Block, at: Occasions) -> Ints:
    """The versions, where visits may have begun under a release that has been rolled back since."""
    runs = np.zeros(len(at), dtype=bool)
    for release in block.releases:
        own = at.platform == PLATFORMS.index(release.platform)
        runs |= own & (taken_up(release, at.time_us) > 0)
    return np.where((at.version == BAD) & ~runs, 0, at.version)
