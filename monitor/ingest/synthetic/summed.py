"""The mass events as lines with a count, a minute and segment each.

The number of events of every country and of every platform, and of their pairs for orders, follows the same
law as that of single events. The pairs of the other events, their versions and the durations of requests
are laid out in few lines: countries, platforms and durations are arcs of three circles, turned against each
other by chance, so that every combination has the right mean, but a wider spread from minute to minute.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from monitor.ingest.synthetic.amounts import durations_at, mean_amounts
from monitor.ingest.synthetic.block import Block
from monitor.ingest.synthetic.chance import counts
from monitor.ingest.synthetic.market import COUNTRIES, PLATFORMS, STEPS, Ints
from monitor.ingest.synthetic.occasions import Occasions
from monitor.ingest.synthetic.writing import Batch, Measured, Writer, rounded

_CUTS: Final = (0.9, 0.97)
"""Durations are drawn within these quantiles: the rare slow ones have lines of their own."""
_NO_LAYER: Final[Ints] = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Events laid out in lines; arrays of one length.

    Attributes:
        minute: of the block.
        country, platform: codes.
        counts: events of the line.
        layer: of their durations; empty where they have none.
    """

    minute: Ints
    country: Ints
    platform: Ints
    counts: Ints
    layer: Ints = field(default_factory=lambda: _NO_LAYER)

    def occasions(self, block: Block, rng: np.random.Generator, event: str) -> Occasions:
        """With a time and a version for each line."""
        time_us = block.moments(rng, self.minute)
        version = block.versions(rng, time_us, self.platform, event)
        return Occasions(
            time_us=time_us, country=self.country, platform=self.platform, version=version
        )


def write_summed(writer: Writer, rng: np.random.Generator, block: Block) -> list[Batch]:
    """Views, carts, checkouts, orders and requests of a block."""
    return [
        *(_step(writer, rng, block, number) for number in range(len(STEPS))),
        *_requests(writer, rng, block),
    ]


def _step(writer: Writer, rng: np.random.Generator, block: Block, number: int) -> Batch:
    step, drawn = STEPS[number], counts(rng, block.step(number))
    if step != "order":
        laid = laid_out(rng, drawn)
        return writer.summed(step, laid.occasions(block, rng, step), laid.counts)
    minute, country, platform = np.nonzero(drawn)
    laid = Laid(minute=minute, country=country, platform=platform, counts=drawn[drawn > 0])
    values = rounded(mean_amounts(rng, laid.counts), 2)
    measured = Measured(field="amount", values=values)
    return writer.summed(step, laid.occasions(block, rng, step), laid.counts, measured=measured)


def _requests(writer: Writer, rng: np.random.Generator, block: Block) -> list[Batch]:
    found = []
    edges = np.array((0.0, *_CUTS, 1.0))
    for status, mean in zip(("ok", "error"), block.requests(), strict=True):
        fine = status == "ok"
        laid = laid_out(rng, counts(rng, mean), _CUTS if fine else ())
        share = rng.random(len(laid.counts))
        if fine:
            share = edges[laid.layer] + share * np.diff(edges)[laid.layer]
        found.append(
            writer.summed(
                "request",
                laid.occasions(block, rng, "" if fine else "error"),
                laid.counts,
                more=f',"status":"{status}"',
                measured=Measured(field="duration_ms", values=rounded(durations_at(share), 1)),
            )
        )
    return found


def laid_out(rng: np.random.Generator, drawn: Ints, cuts: tuple[float, ...] = ()) -> Laid:
    """Few lines with the same events by country and by platform.

    Args:
        rng: chance.
        drawn: events by minute, country and platform.
        cuts: shares at which the events are cut into layers.
    """
    total = drawn.sum(axis=(1, 2))
    countries = np.cumsum(drawn.sum(axis=2), axis=1)
    platforms = np.cumsum(drawn.sum(axis=1), axis=1)
    layers = np.round(total[:, None] * np.array((*cuts, 1.0))).astype(np.int64)
    whole = np.maximum(total, 1)[:, None]
    turns = rng.integers(0, whole, (len(total), 2))
    breaks = [countries, (platforms + turns[:, :1]) % whole, (layers + turns[:, 1:]) % whole]
    if not cuts:
        breaks.pop()
    edges = np.sort(np.concatenate([*breaks, total[:, None]], axis=1), axis=1)
    begins = np.concatenate([np.zeros_like(whole), edges[:, :-1]], axis=1)
    minute, piece = np.nonzero(edges > begins)
    at = begins[minute, piece]
    size = edges[minute, piece] - at

    def arc(ends: Ints, turn: Ints | int) -> Ints:
        place = (at - turn) % whole[minute, 0]
        return np.asarray((ends[minute] <= place[:, None]).sum(axis=1))

    return Laid(
        minute=minute,
        country=np.minimum(arc(countries, 0), len(COUNTRIES) - 1),
        platform=np.minimum(arc(platforms, turns[minute, 0]), len(PLATFORMS) - 1),
        counts=size,
        layer=arc(layers, turns[minute, 1]) if cuts else _NO_LAYER,
    )
