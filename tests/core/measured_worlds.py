"""A shop by the hour whose measurement goes wrong: deltas from events, ledgers by hand."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import msgspec
import numpy as np

from monitor.core.effects import ClosedBucket, Effect, IncidentChanged
from monitor.core.machine import Machine
from monitor.definitions import compile_plan, load
from monitor.definitions.plan import Plan
from monitor.definitions.quality import is_quality
from monitor.ingest.source import Ingest
from monitor.model.frame import Frame
from monitor.model.incident import Incident, IncidentState
from monitor.model.ledger import Aspect
from monitor.model.tick import State
from monitor.model.time import DAY, HOUR, MINUTE, to_rfc3339
from tests.strategies.ledgers import Row, ledger_of, lines

T0 = 20_400 * DAY
LEARNT = 21 * 24
"""Hours of history."""
LINES = 400
"""Lines of an event name and hour; each stands for many events."""
EACH = 50

METRICS = """
metrics:
  - name: orders
    kind: count
    of: {event: order}
    segments: [app_version]
    bucket: 1h
    unit_name: orders
    owner: shop@example.com
  - {name: paid, kind: count, of: {event: order, where: {status: paid}}, bucket: 1h}
  - {name: revenue, kind: sum, of: {event: order, value: amount}, bucket: 1h}
  - name: paid_share
    kind: ratio
    numerator: {event: order, where: {status: paid}}
    denominator: {event: order}
    bucket: 1h
  - {name: views, kind: count, of: {event: view}, bucket: 1h}
"""


@cache
def plan() -> Plan:
    folder = Path(mkdtemp())
    (folder / "metrics").mkdir()
    (folder / "monitor.yaml").write_text(
        "source: {files: [none]}\nalert_budget: {pages: 10, per: 30d}\n"
    )
    (folder / "metrics" / "m.yaml").write_text(METRICS)
    return compile_plan(load(folder, environment={}), shards=1)


class Hour:
    """What comes in one hour.

    Args:
        orders, views: in units of what is usual.
        versions: what each app version brings of it, likewise.
        unpaid: share of the paid orders that do not say so.
        seen: aspects of the order lines, for the ledger.
    """

    def __init__(
        self,
        orders: float = 1.0,
        views: float = 1.0,
        versions: tuple[float, float] = (1.0, 1.0),
        unpaid: float = 0.0,
        **seen: int,
    ) -> None:
        self.orders, self.views, self.versions = orders, views, versions
        self.unpaid, self.seen = unpaid, seen

    def events(self, hour: int) -> Iterator[bytes]:
        chance = np.random.default_rng(hour)
        start = T0 + hour * HOUR
        for k, part in enumerate(self.versions):
            mean = LINES * EACH / 2 * self.orders * part
            count = int(chance.poisson(mean))
            paid = round(count * 0.6 * (1 - self.unpaid))
            version = {"app_version": f"8.{k + 2}"}
            yield _line("order", start + k, paid, {**version, "status": "paid"})
            yield _line("order", start + 2 + k, count - paid, version)
        count = int(chance.poisson(LINES * EACH * self.views))
        yield _line("view", start + 59 * MINUTE, count, {})

    def ledger(self, hour: int) -> list[Row]:
        start = T0 + hour * HOUR
        rows = lines(start, "order", round(LINES * self.orders), **self.seen)
        rows += [
            (start, "order", Aspect.VERSION, f"8.{k + 2}", round(LINES * self.orders * part / 2))
            for k, part in enumerate(self.versions)
        ]
        return rows + lines(start, "view", round(LINES * self.views))


def _line(name: str, time_us: int, count: int, dimensions: dict[str, str]) -> bytes:
    body = {
        "name": name,
        "time": to_rfc3339(time_us),
        "count": count,
        "dimensions": dimensions,
        "values": {"amount": 20.0},
    }
    return msgspec.json.encode(body) if count else b""


def frames(first: int, hours: Sequence[Hour]) -> list[Frame]:
    """A frame an hour."""
    source = Ingest(plan(), None, source=0, sources=1, name="shop", clock=lambda: T0 + 900 * DAY)
    out = []
    for k, hour in enumerate(hours):
        source.add_many([line for line in hour.events(first + k) if line])
        frame = source.flush().frames[0]
        out.append(msgspec.structs.replace(frame, ledger=ledger_of(hour.ledger(first + k))))
    return out


@cache
def history() -> list[Frame]:
    return frames(0, [Hour()] * LEARNT)


@cache
def learnt() -> bytes:
    """The state after three weeks in which nothing happens."""
    machine = Machine(plan())
    for frame in history():
        machine.apply(frame)
    return machine.snapshot()


def run(hours: Sequence[Hour], *, cut: int | None = None) -> list[Effect]:
    """What is decided of the hours after that, with a restart after some of them.

    Each begins anew at offset 0 of another source, which the machine has not seen.
    """
    machine, _ = Machine.restore(plan(), 0, learnt())
    position = machine.positions[0]
    effects: list[Effect] = []
    for k, frame in enumerate(frames(LEARNT, hours)):
        if k == cut:
            machine, _ = Machine.restore(plan(), 0, machine.snapshot())
        effects += machine.apply(
            msgspec.structs.replace(frame, start=frame.start + position, stop=frame.stop + position)
        )
    return effects


def fired(effects: Sequence[Effect], *, quality: bool = False) -> dict[str, Incident]:
    """The first incident of each series that fired: of the definitions, or of the measurement."""
    out: dict[str, Incident] = {}
    for effect in effects:
        if isinstance(effect, IncidentChanged) and effect.transition:
            one = effect.incident
            if one.state is IncidentState.FIRING and is_quality(one.metric) == quality:
                out.setdefault(f"{one.metric} {one.segment}", one)
    return out


def changes(effects: Sequence[Effect], metric: str) -> list[tuple[str, str, str]]:
    """State, reason and severity of the whole of a metric, at every change."""
    return [
        (e.incident.state, e.incident.reason, e.incident.severity)
        for e in effects
        if isinstance(e, IncidentChanged) and e.transition
        if (e.incident.metric, e.incident.dimension) == (metric, "all")
    ]


def states(effects: Sequence[Effect], metric: str) -> list[str]:
    """State of the whole of a metric, bucket by bucket."""
    out = []
    for effect in effects:
        if isinstance(effect, ClosedBucket):
            for group in effect.groups:
                if (group.metric, group.dimension) == (metric, "all"):
                    out += [State(int(effect.state[group.rows[0]])).label]
    return out
