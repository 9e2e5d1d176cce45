"""The shop: any minute of it, in any order, the same bytes every time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from monitor.errors import ConfigError
from monitor.ingest.synthetic.block import MINUTES, Block
from monitor.ingest.synthetic.chance import copies, generator
from monitor.ingest.synthetic.faults import Fault
from monitor.ingest.synthetic.market import Ints
from monitor.ingest.synthetic.people import Doings, People
from monitor.ingest.synthetic.rates import Rates
from monitor.ingest.synthetic.robots import write_robots
from monitor.ingest.synthetic.single import Clusters, visits, write_requests, write_visits
from monitor.ingest.synthetic.summed import write_summed
from monitor.ingest.synthetic.tracking import Tracking
from monitor.ingest.synthetic.writing import Batch, Writer
from monitor.model.time import MINUTE

MOST_VOLUME: Final = 100.0
_BLOCKS: Final = 4
"""Hours kept in memory: a reader goes through the minutes of one after the other."""


class Shop:
    """A seeded shop; nothing in it depends on what was asked before.

    Args:
        seed: the same seed, start, faults and volume give the same bytes.
        start_us: its first minute; cut to the whole minute.
        faults: what goes wrong.
        volume: multiplies all traffic; 1 is about 1,250 single events a minute.
        aggregated: mass events as lines with a `count`; sessions, signups and activations stay single.

    Raises:
        ConfigError: the volume is none, or two bad releases of a platform are less than an hour apart.
    """

    def __init__(
        self,
        *,
        seed: int,
        start_us: int,
        faults: Sequence[Fault] = (),
        volume: float = 1.0,
        aggregated: bool = False,
    ) -> None:
        if not 0 < volume <= MOST_VOLUME:
            message = f"volume {volume} is not above 0 and at most {MOST_VOLUME:g}; 1 is usual"
            raise ConfigError(message)
        self.start_us = start_us - start_us % MINUTE
        self._seed, self._aggregated = seed, aggregated
        self._faults = tuple(sorted(faults, key=lambda fault: fault.started_us))
        self._rates = Rates(start_us=self.start_us, faults=faults, volume=volume)
        self._people = People(seed=seed, start_us=self.start_us, volume=volume)
        self._tracking = Tracking(faults)
        self._visits = lru_cache(maxsize=_BLOCKS)(self._draw_visits)
        self._batches = lru_cache(maxsize=_BLOCKS + self._tracking.blocks_back)(self._draw_batches)
        self._minutes = lru_cache(maxsize=_BLOCKS)(self._cut)

    def minute(self, index: int) -> list[bytes]:
        """The NDJSON lines that arrive in a minute since the start, without line ends, in that order.

        Raises:
            ValueError: the minute is before the start.
        """
        if index < 0:
            message = f"minute {index} is before the shop's start; its first minute is 0"
            raise ValueError(message)
        return list(self._minutes(index // MINUTES)[index % MINUTES])

    def lines(self, first: int, stop: int) -> Iterator[bytes]:
        """The lines of the minutes from `first` to before `stop`."""
        for index in range(first, stop):
            yield from self.minute(index)

    def truth(self) -> list[dict[str, object]]:
        """Every fault, earliest first: kind, what, where, started_at, ended_at, size."""
        return [fault.truth() for fault in self._faults]

    def _block(self, number: int) -> Block:
        return Block.of(number, self.start_us, self._rates)

    def _draw_visits(self, number: int) -> list[Clusters]:
        return visits(self._block(number), generator(self._seed, "visits", number))

    def _draw_batches(self, number: int) -> list[Batch]:
        block = self._block(number)
        rng = generator(self._seed, "mass", number)
        writer = Writer(block, generator(self._seed, "writing", number))
        found = self._write_people(writer, block)
        found += write_robots(writer, rng, block, aggregated=self._aggregated)
        if self._aggregated:
            return found + write_summed(writer, rng, block)
        begun = [self._visits(number - 1), self._visits(number)]
        found += write_visits(writer, rng, block, begun)
        return found + write_requests(writer, rng, block)

    def _write_people(self, writer: Writer, block: Block) -> list[Batch]:
        rng = generator(self._seed, "people", block.number)
        found = []
        for event, everybody in self._people.doings(block.start_us, block.stop_us).items():
            doings = self._touched(event, everybody, rng)
            at = replace(
                doings.at, version=block.versions(rng, doings.at.time_us, doings.at.platform)
            )
            found.append(writer.single(event, at, doings.names()))
        return found

    def _touched(self, event: str, doings: Doings, rng: np.random.Generator) -> Doings:
        """People's doings under the faults."""
        at = doings.at
        country = self._rates.moved(at.time_us, at.country, rng.random(len(at)))
        moved = replace(doings, at=replace(at, country=country))
        factor = self._rates.factor(event, moved.at)
        return moved.taken(np.repeat(np.arange(len(factor)), copies(rng, factor)))

    def _cut(self, number: int) -> list[list[bytes]]:
        """The lines of a block by minute."""
        start_us = self.start_us + number * MINUTES * MINUTE
        arrivals: list[Ints] = []
        lines: list[str] = []
        for back in range(self._tracking.blocks_back + 1):
            batches = self._batches(number - back)
            for batch in batches:
                arrived, chosen = self._tracking.received(batch)
                inside = np.flatnonzero(
                    (start_us <= arrived) & (arrived < start_us + MINUTES * MINUTE)
                )
                arrivals.append(arrived[inside])
                lines += [batch.lines[index] for index in chosen[inside].tolist()]
        arrival_us = np.concatenate(arrivals)
        order = np.argsort(arrival_us, kind="stable")
        sorted_lines = [lines[index] for index in order.tolist()]
        ends = start_us + np.arange(1, MINUTES + 1) * MINUTE
        cuts = np.searchsorted(arrival_us[order], ends).tolist()
        encoded = "\n".join(sorted_lines).encode().split(b"\n") if sorted_lines else []
        return [encoded[first:stop] for first, stop in zip([0, *cuts[:-1]], cuts, strict=True)]
