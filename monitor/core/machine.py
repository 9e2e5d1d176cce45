"""The core: `apply(frame) -> effects`. No clock, no I/O, no chance: state = f(log, definitions, code)."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from monitor.aggregate.ledger_past import LedgerPast
from monitor.aggregate.sources import Sources
from monitor.core import snapshot
from monitor.core.cohort_lane import open_lane
from monitor.core.effects import Effect
from monitor.core.lane import Lane
from monitor.core.lane_key import LaneKey
from monitor.core.quality_lane import QualityLane, Voice, open_quality_lane, quality_key
from monitor.definitions.plan import MetricPlan, Plan
from monitor.model.frame import Deltas, Frame
from monitor.model.release import RELEASES, Release
from monitor.release.book import Book


class Machine:
    """The state machine of one shard.

    Args:
        shows_running: whether cohorts are shown before they can be judged, and the buckets of the
            measurement. Decisions are the same.

    Attributes:
        plan: the compiled definitions.
        shard: which metrics: those of `plan.shard_of`.
        counters: what was done and what was refused, by name.
    """

    def __init__(
        self,
        plan: Plan,
        shard: int = 0,
        *,
        state: dict[str, Any] | None = None,
        shows_running: bool = True,
    ) -> None:
        self.plan = plan
        self.shard = shard
        self.counters: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self._book = Book()
        self._sources = Sources() if state is None else Sources.load(state["sources"])
        if state is not None:
            self.counters.update(state["counters"])
            self._book.load(state.get("releases", []))
        self._voice = Voice(plan, shard)
        self._past = LedgerPast(plan.base_us, None if state is None else state.get("ledger"))
        self._metrics = {m.name: m for m in plan.metrics if plan.shard_of(m.name) == shard}
        self._lanes = self._open_lanes({} if state is None else snapshot.lanes(state))
        for lane in self._lanes:
            lane.shows_running = shows_running
        self._lane_of = {m.name: lane for lane in self._lanes for m in lane.panel.metrics}

    def _open_lanes(self, states: dict[LaneKey, dict[str, Any]]) -> list[Lane]:
        by_key: dict[LaneKey, list[MetricPlan]] = defaultdict(list)
        for metric in self._metrics.values():
            by_key[LaneKey.of(metric)].append(metric)
        order = sorted(by_key, key=LaneKey.order)
        opened = [
            open_lane(key, by_key[key], self.plan, self._past, states.get(key)) for key in order
        ]
        for lane in opened:
            if lane.key not in states:
                lane.releases.tell(self._book.windows())
        if not self.plan.quality:
            return opened
        state = states.get(quality_key(self.plan))
        quality = open_quality_lane(self.plan, self._past, state)
        for lane in opened:
            lane.contexts.silences = quality
        return [quality, *opened]

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """What is kept of each calendar's metrics, to be looked at."""
        return tuple(self._lanes)

    @property
    def watermark_us(self) -> int:
        """Event time up to which every source has spoken."""
        return self._sources.watermark_us

    @property
    def positions(self) -> dict[int, int]:
        """By source, the offset at which its next frame must start."""
        return dict(self._sources.positions)

    @property
    def releases(self) -> tuple[Release, ...]:
        """The releases that it was told of, in the order of their starts."""
        return self._book.releases

    @property
    def folded(self) -> Counter[tuple[str, str]]:
        """Events that went to `other`, by (metric, dimension)."""
        own = (lane.panel.folded for lane in self._lanes if not isinstance(lane, QualityLane))
        return sum(own, Counter[tuple[str, str]]())

    @property
    def set_aside(self) -> Counter[str]:
        """Events of units that a cohort could not count, by reason."""
        return sum((lane.panel.set_aside for lane in self._lanes), Counter[str]())

    def gap(self, frame: Frame) -> int:
        """Offsets missing between what was applied of the frame's source and the frame."""
        return self._sources.gap(frame)

    def apply(self, frame: Frame) -> list[Effect]:
        """Take in one frame; returns what it decided, in order.

        A frame that was applied before is skipped. One that leaves a gap is applied and the gap
        counted: whoever reads the log may look again first (see `gap`).
        """
        told = self._tell(frame.releases)
        if frame.source == RELEASES:
            return told
        if self._sources.is_repeat(frame):
            self.counters["frames_repeated"] += 1
            return told
        self.counters["frames"] += 1
        self.counters["offsets_missing"] += self._sources.gap(frame)
        self.counters["events_lost"] += frame.lost
        self._sources.take(frame)
        self._past.take(frame)
        for lane in self._lanes:
            lane.panel.note_activity(frame.activity)
        for deltas in frame.deltas:
            self._merge(deltas)
        for lane in self._lanes:
            if isinstance(lane, QualityLane):
                lane.take(frame)
        return told + self._advance()

    def _tell(self, releases: Sequence[Release]) -> list[Effect]:
        """Take in what was told of releases; what is told again changes nothing."""
        if not releases or not self._book.take(releases):
            return []
        windows = self._book.windows()
        judged = (lane for lane in self._lanes if not isinstance(lane, QualityLane))
        return [effect for lane in judged for effect in lane.releases.tell(windows)]

    def _merge(self, deltas: Deltas) -> None:
        metric = self._metrics.get(deltas.metric)
        if metric is None or metric.formula != deltas.formula:
            self.counters["deltas_of_other_definitions"] += len(deltas.bucket)
            self.skipped[deltas.metric] += len(deltas.bucket)
            return
        self.counters["deltas"] += self._lane_of[deltas.metric].panel.merge(deltas)

    def _advance(self) -> list[Effect]:
        """Close every bucket that the watermark has passed, in the order in which they end."""
        watermark = self._sources.watermark_us
        effects: list[Effect] = []
        moved: set[int] = set()
        while True:
            ends = [
                (end, i)
                for i, lane in enumerate(self._lanes)
                if (end := lane.panel.next_end(watermark)) is not None
            ]
            if not ends:
                break
            end, first = min(ends)
            self._past.settle(end)
            effects += self._said(first, self._lanes[first].close(watermark))
            moved.add(first)
        for i in sorted(moved):
            effects += self._said(i, self._lanes[i].restate())
        return effects

    def _said(self, lane: int, effects: list[Effect]) -> list[Effect]:
        """What of a lane's effects is this shard's to say."""
        return self._voice.of(effects) if isinstance(self._lanes[lane], QualityLane) else effects

    def finish(self) -> list[Effect]:
        """The end of a replay: late events that still wait, and the buckets that never ended."""
        effects: list[Effect] = []
        self._past.settle_all()
        for i, lane in enumerate(self._lanes):
            effects += self._said(i, lane.finish(self._sources.watermark_us))
        return effects

    def end_history(self) -> list[Effect]:
        """Make the state of a history that of a service that begins: what was learnt stays.

        Sources are forgotten, and buckets that have not closed: what comes next has other sources,
        and is counted from the end of the last closed bucket on. Incidents end, without recovery.
        """
        effects = [
            effect
            for i, lane in enumerate(self._lanes)
            for effect in self._said(i, lane.end_history())
        ]
        self._sources = Sources()
        self._past.end_history()
        return effects

    def snapshot(self) -> bytes:
        """The whole state, for `restore`."""
        return snapshot.encode(
            {
                "sources": self._sources.dump(),
                "counters": dict(self.counters),
                "ledger": self._past.dump(),
                "releases": self._book.dump(),
                "lanes": [lane.dump() for lane in self._lanes],
            }
        )

    @classmethod
    def restore(cls, plan: Plan, shard: int, data: bytes) -> tuple["Machine", list[Effect]]:
        """The machine that gave this snapshot, under definitions that may have changed since.

        Metrics that measure what they did keep their state; the others start anew.

        Returns:
            The machine, and the incidents that end because their metric changed or went.

        Raises:
            StateError: the bytes are no snapshot that this version reads.
        """
        state = snapshot.decode(data)
        machine = cls(plan, shard, state=state)
        effects: list[Effect] = [
            change
            for i, lane in enumerate(machine._lanes)
            for change in machine._said(i, list(lane.changes))
        ]
        effects += snapshot.orphans(state, {lane.key for lane in machine._lanes})
        return machine, effects
