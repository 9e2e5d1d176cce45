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
_SOME_SECONDS: Final = (0.03, 4.0)  # share, mean
_MOST_SECONDS: Final = 25.0
_SOME_MINUTES: Final = (0.001, 1, 6)  # share, from, to
_TWICE: Final = 0.0004


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events of one name.

    Attributes:
        event: the name.
        at: when and of what.
        arrival_us: when each line arrives.
        lines: the JSON of each.
    """

    event: str
    at: Occasions
    arrival_us: Ints
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
    """

    def __init__(self, block: Block, rng: np.random.Generator) -> None:
        self._rng = rng
        self._texts = block.dimensions()
        self._mark = f"{block.start_us // MINUTE:x}"
        minutes = block.minutes_us.astype("datetime64[us]")
        self._minutes: list[str] = np.datetime_as_string(minutes, unit="m").tolist()
        self._first_us = block.start_us
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
            at: when they happen, and of what they are.
            actors: who.
            more: JSON of further dimensions, beginning with a comma.
            measured: their values.
        """
        times = self._times(at.time_us)
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
        return self._sent(Batch(event=event, at=at, arrival_us=at.time_us, lines=lines))

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
        return Batch(event=event, at=at, arrival_us=at.time_us, lines=lines)

    def _segments(self, at: Occasions) -> list[str]:
        texts = self._texts
        return [texts[index] for index in cell(at.country, at.platform, at.version).tolist()]

    def _times(self, time_us: Ints) -> list[str]:
        minute, rest = np.divmod(time_us - self._first_us, MINUTE)
        minutes, seconds = self._minutes, _SECONDS
        pairs = zip(minute.tolist(), (rest // _MILLISECOND).tolist(), strict=True)
        return [minutes[m] + seconds[s] for m, s in pairs]

    def _sent(self, batch: Batch) -> Batch:
        """With small delays, and a few lines twice, some seconds later."""
        rng, size = self._rng, len(batch.lines)
        delay = np.zeros(size)
        drawn = rng.random(size)
        share, mean = _SOME_SECONDS
        some = np.flatnonzero(drawn < share)
        delay[some] = np.minimum(rng.exponential(mean, len(some)), _MOST_SECONDS) * SECOND
        few_share, least, most = _SOME_MINUTES
        few = np.flatnonzero(drawn > 1 - few_share)
        delay[few] = rng.uniform(least, most, len(few)) * MINUTE
        arrival_us = batch.at.time_us + delay.astype(np.int64)
        again = np.flatnonzero(rng.random(size) < _TWICE)
        later = arrival_us[again] + rng.integers(SECOND, 20 * SECOND, len(again))
        return Batch(
            event=batch.event,
            at=batch.at.taken(np.append(np.arange(size), again)),
            arrival_us=np.append(arrival_us, later),
            lines=batch.lines + [batch.lines[index] for index in again.tolist()],
        )


def rounded(values: Floats, digits: int) -> list[float]:
    """Numbers as they are written."""
    return np.round(values, digits).tolist()  # type: ignore[no-any-return]
