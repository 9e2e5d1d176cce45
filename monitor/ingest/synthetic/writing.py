"""Lines of events: arrays in, NDJSON out, in the order in which they arrive."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.ingest.synthetic.block import Block, cell
from monitor.ingest.synthetic.market import Floats, Ints
from monitor.ingest.synthetic.occasions import Occasions
from monitor.model.time import MINUTE, SECOND

_SECONDS: Final = [f":{ms // 1000:02d}.{ms % 1000:03d}Z" for ms in range(60_000)]
_MILLISECOND: Final = 1000
_BACK_MINUTES: Final = 8
"""Events of a block are at most so much older than its beginning."""
_SOME_SECONDS: Final = (0.03, 4.0)  # share, mean
_SOME_MINUTES: Final = (0.001, 1, 6)  # share, from, to
_TWICE: Final = 0.0004


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events of one name.

    Attributes:
        event: the name.
        at: when each line arrives, and of what it is.
        lines: the JSON of each.
    """

    event: str
    at: Occasions
    lines: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A value of every line of a batch.

    Attributes:
        field: its name.
        values: rounded as they are written.
    """

    field: str
    values: Sequence[float]


class Writer:
    """Writes the events of one block.

    Args:
        block: the hour.
        rng: chance, for delays and repeats.
        boundaries: beginnings and ends of faults: no delay carries an event over one of them.
    """

    def __init__(self, block: Block, rng: np.random.Generator, boundaries: Ints) -> None:
        self._block, self._rng, self._boundaries = block, rng, boundaries
        self._texts = block.dimensions()
        self._mark = f"{block.start_us // MINUTE:x}"
        first = block.start_us - _BACK_MINUTES * MINUTE
        count = (block.stop_us - first) // MINUTE
        moments = (first + np.arange(count) * MINUTE).astype("datetime64[us]")
        self._minutes = np.datetime_as_string(moments, unit="m").tolist()
        self._first_us = first
        self._ids = 0

    def single(
        self,
        event: str,
        at: Occasions,
        actors: Sequence[str],
        *,
        more: str = "",
        measured: Measured | None = None,
    ) -> Batch:
        """Events one by one, with ids, small delays and now and then a repeat.

        Args:
            event: the name.
            at: when they arrive, and of what they are.
            actors: who.
            more: JSON of further dimensions, beginning with a comma.
            measured: their values.
        """
        times = self._times(self._delayed(at.time_us))
        texts = self._segments(at)
        mark = f'{{"event_id":"{self._mark}.'
        head, middle = f'","name":"{event}","time":"', '","actor":"'
        numbers = range(self._ids, self._ids + len(texts))
        self._ids += len(texts)
        if measured is None:
            lines = [
                f'{mark}{n:x}{head}{time}{middle}{actor}","dimensions":{{{text}{more}}}}}'
                for n, time, actor, text in zip(numbers, times, actors, texts, strict=True)
            ]
        else:
            tail = f'{more}}},"values":{{"{measured.field}":'
            lines = [
                f'{mark}{n:x}{head}{time}{middle}{actor}","dimensions":{{{text}{tail}{value}}}}}'
                for n, time, actor, text, value in zip(
                    numbers, times, actors, texts, measured.values, strict=True
                )
            ]
        return self._repeated(Batch(event=event, at=at, lines=lines))

    def summed(
        self,
        event: str,
        at: Occasions,
        counts: Ints,
        *,
        more: str = "",
        measured: Measured | None = None,
    ) -> Batch:
        """Lines that stand for `counts` events each, without ids; the values are means."""
        head, middle = f'{{"name":"{event}","time":"', '","count":'
        columns = self._times(at.time_us), counts.tolist(), self._segments(at)
        if measured is None:
            lines = [
                f'{head}{time}{middle}{count},"dimensions":{{{text}{more}}}}}'
                for time, count, text in zip(*columns, strict=True)
            ]
        else:
            tail = f'{more}}},"values":{{"{measured.field}":'
            lines = [
                f'{head}{time}{middle}{count},"dimensions":{{{text}{tail}{value}}}}}'
                for time, count, text, value in zip(*columns, measured.values, strict=True)
            ]
        return Batch(event=event, at=at, lines=lines)

    def _segments(self, at: Occasions) -> list[str]:
        texts = self._texts
        return [texts[index] for index in cell(at.country, at.platform, at.version).tolist()]

    def _times(self, time_us: Ints) -> list[str]:
        minute, rest = np.divmod(time_us - self._first_us, MINUTE)
        minutes, seconds = self._minutes, _SECONDS
        pairs = zip(minute.tolist(), (rest // _MILLISECOND).tolist(), strict=True)
        return [minutes[m] + seconds[s] for m, s in pairs]

    def _delayed(self, arrival_us: Ints) -> Ints:
        """The times of events that arrive then: most of them at once."""
        rng, size = self._rng, len(arrival_us)
        delay = np.zeros(size)
        drawn = rng.random(size)
        share, mean = _SOME_SECONDS
        some = np.flatnonzero(drawn < share)
        delay[some] = np.minimum(rng.exponential(mean, len(some)), 25.0) * SECOND
        few_share, least, most = _SOME_MINUTES
        few = np.flatnonzero(drawn > 1 - few_share)
        delay[few] = rng.uniform(least, most, len(few)) * MINUTE
        found = arrival_us - delay.astype(np.int64)
        if len(self._boundaries):
            at = np.searchsorted(self._boundaries, arrival_us, side="right") - 1
            passed = np.where(at >= 0, self._boundaries[np.maximum(at, 0)], found)
            found = np.maximum(found, passed)
        return found

    def _repeated(self, batch: Batch) -> Batch:
        """With a few lines twice, some seconds later, inside the block."""
        rng, size = self._rng, len(batch.lines)
        again = np.flatnonzero(rng.random(size) < _TWICE)
        if not len(again):
            return batch
        at = batch.at.taken(np.append(np.arange(size), again))
        later = at.time_us[size:] + rng.integers(SECOND, 20 * SECOND, len(again))
        at.time_us[size:] = np.minimum(later, self._block.stop_us - _MILLISECOND)
        lines = batch.lines + [batch.lines[index] for index in again.tolist()]
        return Batch(event=batch.event, at=at, lines=lines)


def rounded(values: Floats, digits: int) -> list[float]:
    """Numbers as they are written."""
    return np.round(values, digits).tolist()  # type: ignore[no-any-return]
