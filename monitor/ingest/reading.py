"""Messages to events that have their place in time, a batch at a time; what is none, a dead letter.

As a rule a whole batch decodes at once and lies in one base bucket: then nothing is done event by
event. A batch with anything else in it is gone through one by one.
"""

from collections.abc import Iterable, Sequence, Set
from datetime import datetime
from itertools import repeat
from typing import Any, Final

from monitor.ingest.dead import Dead
from monitor.ingest.dimensions import Dimensions
from monitor.ingest.envelope import Envelope
from monitor.ingest.fields import OLDEST, Fault, from_number
from monitor.ingest.lines import Batch, When
from monitor.ingest.placing import Placing
from monitor.ingest.wire import UNDECODED, Wire, are_plain, vet
from monitor.model.event import Event
from monitor.model.time import from_datetime

_MILLISECOND: Final = 1000

Decoded = tuple[Wire | Event, int]
"""An event, and the number of its dimensions."""


class Reading:
    """Reads the messages of one source.

    Args:
        envelope: decodes them.
        dimensions: numbers what is needed of their dimensions.
        placing: places them in time.
        dead: takes what is none.
        used: the event names that some metric uses.
        max_clock_skew_us: so far beyond the wall clock an event is believed.
    """

    def __init__(
        self,
        envelope: Envelope,
        dimensions: Dimensions,
        placing: Placing,
        dead: Dead,
        *,
        used: Set[str],
        max_clock_skew_us: int,
    ) -> None:
        self._envelope, self._dimensions = envelope, dimensions
        self._placing, self._dead = placing, dead
        self._used, self._skew_us = used, max_clock_skew_us

    def read(
        self,
        payloads: Sequence[bytes],
        positions: Sequence[int],
        stamps_ms: Sequence[int] | None,
        now_us: int,
    ) -> Batch:
        """The events of these messages, in order; blank ones and dead letters are left out.

        Args:
            payloads: at least one.
            positions: theirs, ascending.
            stamps_ms: when each arrived, milliseconds since the epoch; negative where not known.
            now_us: the wall clock.
        """
        try:
            events, dimensions = self._decoded(payloads)
        except UNDECODED:
            return self._one_by_one(repeat(None), payloads, positions, stamps_ms, now_us)
        times: list[Any] = [event.time for event in events]
        slot = self._placing.together(times, now_us + self._skew_us)
        if slot is None:
            known = zip(events, dimensions, strict=True)
            return self._one_by_one(known, payloads, positions, stamps_ms, now_us)
        delays = [] if stamps_ms is None else self._delays(times, positions, stamps_ms)
        return Batch(events=events, dimensions=dimensions, slots=slot, times=times, delays=delays)

    def _decoded(self, payloads: Sequence[bytes]) -> tuple[list[Wire], list[int]]:
        """All of them by the fast path; raises one of `UNDECODED` where it is not for all."""
        if not are_plain(payloads):
            for payload in payloads:
                vet(payload)
        events = list(map(self._envelope.decode, payloads))
        texts = map(bytes, [event.dimensions for event in events])
        return events, list(map(self._dimensions.of_bytes.__getitem__, texts))

    def _delays(
        self, times: Sequence[datetime], positions: Sequence[int], stamps_ms: Sequence[int]
    ) -> list[tuple[int, int]]:
        step = self._placing.sampling.mask + 1
        if isinstance(positions, range) and positions.step == 1:
            looked_at: Iterable[int] = range(-positions[0] % step, len(positions), step)
        else:
            looked_at = [at for at, position in enumerate(positions) if not position % step]
        return [
            (at, stamps_ms[at] * _MILLISECOND - from_datetime(times[at]))
            for at in looked_at
            if stamps_ms[at] >= 0
        ]

    def _one_by_one(
        self,
        known: Iterable[Decoded | None],
        payloads: Sequence[bytes],
        positions: Sequence[int],
        stamps_ms: Sequence[int] | None,
        now_us: int,
    ) -> Batch:
        """The same of any messages; of each it may be known what the fast path makes of it."""
        place, sampling, used = self._placing.place, self._placing.sampling, self._used
        horizon_us = now_us + self._skew_us
        stamps = repeat(-1, len(payloads)) if stamps_ms is None else stamps_ms
        events: list[Wire | Event] = []
        dimensions: list[int] = []
        slots: list[int] = []
        times: list[When] = []
        delays: list[tuple[int, int]] = []
        for payload, position, stamp_ms, at_hand in zip(
            payloads, positions, stamps, known, strict=False
        ):
            found = at_hand or self._fast(payload)
            time_us = OLDEST - 1 if found is None else _time_us(found[0])
            if found is None or not OLDEST <= time_us <= horizon_us:
                event = self._slow(payload, position, now_us)
                if event is None:
                    continue
                found = event, self._dimensions.of(event.dimensions)
                time_us = event.time_us
            event_, number = found
            slot = place(time_us, position, used=event_.name in used)
            if stamp_ms >= 0 and not position & sampling.mask:
                delays.append((len(events), stamp_ms * _MILLISECOND - time_us))
            events.append(event_)
            dimensions.append(number)
            slots.append(slot)
            times.append(time_us)
        return Batch(events=events, dimensions=dimensions, slots=slots, times=times, delays=delays)

    def _fast(self, payload: bytes) -> Decoded | None:
        """What the fast path makes of a message; None where it is not for it."""
        try:
            vet(payload)
            event = self._envelope.decode(payload)
            return event, self._dimensions.of_bytes[bytes(event.dimensions)]
        except UNDECODED:
            return None

    def _slow(self, payload: bytes, position: int, now_us: int) -> Event | None:
        """The event of a message off the fast path; None where it is blank or now a dead letter."""
        try:
            return self._envelope.read(payload, now_us + self._skew_us)
        except Fault as fault:
            known = not fault.event or fault.event in self._used
            home_us = self._placing.home_us if known else None
            self._dead.add(fault, position, payload, read_us=now_us, home_us=home_us)
            return None


def _time_us(event: Wire | Event) -> int:
    if isinstance(event, Event):
        return event.time_us
    time = event.time
    return from_datetime(time) if isinstance(time, datetime) else from_number(time)
