"""What feeds an engine: files read to their end, and the synthetic shop at the pace of a clock."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from monitor.clock import Clock
from monitor.core.effects import Effect
from monitor.definitions import Configuration
from monitor.definitions.plan import Plan
from monitor.embedded.engine import Engine, Keeper
from monitor.errors import InputError
from monitor.ingest.files import STANDARD_INPUT, LineFile, expand, open_files
from monitor.ingest.pace import Pace
from monitor.ingest.synthetic import Shop
from monitor.model.time import MINUTE
from monitor.settings import SyntheticSource
from monitor.telemetry import Counters

CHUNK_LINES = 20_000
CHUNK_CELLS = 50_000
"""Lines and cells read of a file before another one may have its turn: a flush, and so a frame."""

_log = structlog.get_logger(__name__)

SHOP = "shop"
"""Name of the synthetic source."""

LINES_A_MINUTE = 1_000_000
"""Positions of the shop's lines: the number of the minute times this, and the line in it."""


class Feed(Protocol):
    """Brings an engine what there is."""

    def step(self) -> list[Effect] | None:
        """Bring a piece; what the core decided, or None where there is nothing now."""


class FilesFeed:
    """Files, each a source of its own; the one whose watermark is lowest is read next.

    Args:
        engine: has a source by every file's name; what a former run has read is passed over.
        files: opened.
    """

    def __init__(self, engine: Engine, files: Sequence[LineFile]) -> None:
        self._engine = engine
        self._files = {f.name: f for f in files if not engine.state(f.name).ended}
        for file in files:
            if file.name not in self._files:
                _tell_if_changed(file, engine.state(file.name).note)
                file.close()
        self._paces = {name: Pace() for name in self._files}
        self._readers = {name: self._rest(file) for name, file in self._files.items()}

    def _rest(self, file: LineFile) -> Iterator[list[bytes]]:
        """The lines that were not read before."""
        left = self._engine.state(file.name).position - 1
        for lines in file.pieces(self._paces[file.name].next):
            fresh = lines[left:] if left else lines
            left = max(0, left - len(lines))
            if fresh:
                yield fresh

    def close(self) -> None:
        """Release what was not read to its end."""
        for file in self._files.values():
            file.close()

    def step(self) -> list[Effect] | None:
        """Read a chunk of one file."""
        if not self._readers:
            return None
        engine = self._engine
        name = min(self._readers, key=lambda n: (engine.watermark_us(n), engine.state(n).number))
        taken = waiting = 0
        for lines in self._readers[name]:
            engine.feed(name, lines)
            taken += len(lines)
            before, waiting = waiting, engine.waiting(name)
            self._paces[name].took(waiting - before)
            if taken >= CHUNK_LINES or waiting >= CHUNK_CELLS:
                return engine.flush(name)
        del self._readers[name]
        engine.note(name, self._files[name].size or 0)
        return engine.finish(name)


def _tell_if_changed(file: LineFile, size: int) -> None:
    """Say of a file that was read to its end before that it is another now."""
    if file.size != size:
        _log.warning(
            "source.changed",
            file=file.name,
            bytes_then=size,
            bytes_now=file.size,
            remedy="a file is read once: put what is new into a new one",
        )


class ShopFeed:
    """The synthetic shop, minute by minute, each when the clock has passed its end.

    Args:
        engine: has a source of this name.
        name: of the source.
        shop: what brings the lines.
        clock: how far it may go.
    """

    def __init__(self, engine: Engine, name: str, shop: Shop, clock: Clock) -> None:
        self._engine = engine
        self._name = name
        self._shop = shop
        self._clock = clock
        self.minute = engine.state(name).position // LINES_A_MINUTE

    def step(self, *, minutes: int = 1) -> list[Effect] | None:
        """Bring as many of these minutes as the clock allows."""
        passed = (self._clock() - self._shop.start_us) // MINUTE
        stop = min(self.minute + minutes, passed)
        if stop <= self.minute:
            return None
        lines: list[bytes] = []
        for minute in range(self.minute, stop):
            lines = self._shop.minute(minute)
            first = minute * LINES_A_MINUTE + 1
            self._engine.feed(self._name, lines, range(first, first + len(lines)))
        self.minute = stop
        self._engine.lags(self._name, (passed - stop) * len(lines))
        self._engine.skip(self._name, stop * LINES_A_MINUTE + 1)
        return self._engine.flush(self._name)


def _require_regular(name: str) -> None:
    """Refuse what cannot be read again from where a run before had come.

    Raises:
        InputError: it is a pipe, standard input or a device.
    """
    if name == STANDARD_INPUT or (Path(name).exists() and not Path(name).is_file()):
        message = (
            f"source.files: {name}: is no regular file, and a service must be able to go on where "
            "it was; write it to a file, or use `monitor replay` or Kafka"
        )
        raise InputError(message)


def source_of(
    configuration: Configuration, plan: Plan, keeper: Keeper, *, clock: Clock, counters: Counters
) -> tuple[Engine, Feed]:
    """The engine of a configuration without Kafka, and what feeds it.

    Raises:
        MonitorError: a file cannot be read, or the state not be used.
    """

    def engine(sources: Sequence[str]) -> Engine:
        return Engine(
            keeper,
            plan,
            fields=configuration.fields or None,
            sources=sources,
            clock=clock,
            counters=counters,
        )

    source = configuration.settings.source
    if source.files is not None:
        names = expand(source.files)
        for name in names:
            _require_regular(name)
        files = open_files(names)
        reading = engine([file.name for file in files])
        return reading, FilesFeed(reading, files)
    made = engine([SHOP])
    if not made.state(SHOP).note:
        made.note(SHOP, clock() // MINUTE * MINUTE)
    chosen = source.synthetic or SyntheticSource()
    shop = Shop(seed=chosen.seed, volume=chosen.volume, start_us=made.state(SHOP).note)
    return made, ShopFeed(made, SHOP, shop, clock)
