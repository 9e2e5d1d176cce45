"""Requests of no customer: a probe every five minutes, and robots in bursts."""

from dataclasses import replace
from typing import Final

import numpy as np

from monitor.ingest.synthetic.amounts import SLOW, durations
from monitor.ingest.synthetic.block import MINUTES, Block
from monitor.ingest.synthetic.market import COUNTRIES, PLATFORMS, Ints
from monitor.ingest.synthetic.occasions import Occasions
from monitor.ingest.synthetic.writing import Batch, Measured, Writer, rounded
from monitor.model.time import SECOND

_BURSTS: Final = 0.15
"""Bursts a minute."""
_BURST: Final = 20
_PROBE_EVERY: Final = 5
_PLACE: Final = {"robot": ("US", "web"), "probe": ("DE", "web")}


def write_robots(
    writer: Writer, rng: np.random.Generator, block: Block, *, aggregated: bool
) -> list[Batch]:
    """Both kinds' requests of a block."""
    begun = _at("robot", block.minutes_us)
    busy = block.rates.grown(block.minutes_us) * block.rates.factor("request", begun)
    bursts = np.repeat(np.arange(MINUTES), rng.poisson(_BURSTS * busy))
    each = bursts if aggregated else np.repeat(bursts, _BURST)
    robots = _at("robot", block.moments(rng, each))
    first = (-block.number * MINUTES) % _PROBE_EVERY
    probes = _at("probe", block.minutes_us[first::_PROBE_EVERY] + 5 * SECOND)
    return [
        _write(writer, rng, block, "robot", robots, _BURST if aggregated else 1),
        _write(writer, rng, block, "probe", probes, 1),
    ]


def _write(  # noqa: PLR0917 - one call for the two kinds above
    writer: Writer, rng: np.random.Generator, block: Block, agent: str, at: Occasions, of: int
) -> Batch:
    """Requests of one kind, `of` a line."""
    at = replace(at, version=block.versions(rng, at.time_us, at.platform))
    slower = SLOW if agent == "robot" else 1.0
    took = Measured(field="duration_ms", values=rounded(slower * durations(rng, len(at)), 1))
    more = f',"status":"ok","agent":"{agent}"'
    if of > 1:
        return writer.summed("request", at, np.full(len(at), of), more=more, measured=took)
    return writer.single("request", at, [agent] * len(at), more=more, measured=took)


def _at(agent: str, time_us: Ints) -> Occasions:
    country, platform = _PLACE[agent]
    return Occasions(
        time_us=time_us,
        country=np.full(len(time_us), COUNTRIES.index(country)),
        platform=np.full(len(time_us), PLATFORMS.index(platform)),
        version=np.zeros_like(time_us),
    )
