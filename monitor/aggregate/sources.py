"""The sources of a shard: their chains, their watermarks, and the watermark of all of them."""

from dataclasses import dataclass, field
from typing import Any

from monitor.model.frame import Frame
from monitor.model.time import FOREVER, NEVER


@dataclass(slots=True)
class Sources:
    """What every source partition has said so far.

    Attributes:
        expected: number of partitions that must speak before anything closes.
        positions: by source, the offset that the next frame must start at.
        watermarks: by source, microseconds.
        newest_us: the newest confirmed event time of any source.
    """

    expected: int = 0
    positions: dict[int, int] = field(default_factory=dict)
    watermarks: dict[int, int] = field(default_factory=dict)
    newest_us: int = NEVER

    def is_repeat(self, frame: Frame) -> bool:
        """Whether the chain has passed the frame's beginning: it was applied before."""
        return frame.start < self.positions.get(frame.source, frame.start)

    def gap(self, frame: Frame) -> int:
        """How many offsets lie between the end of the chain and this frame."""
        return max(0, frame.start - self.positions.get(frame.source, frame.start))

    def take(self, frame: Frame) -> None:
        """Move the chain and the watermark of the frame's source; neither ever moves back."""
        source = frame.source
        self.expected = max(self.expected, frame.sources)
        self.positions[source] = max(self.positions.get(source, 0), frame.stop)
        self.watermarks[source] = max(self.watermarks.get(source, NEVER), frame.watermark_us)
        self.newest_us = max(self.newest_us, frame.newest_us)

    @property
    def watermark_us(self) -> int:
        """Lowest watermark of all sources; once all have ended, the newest event time."""
        if len(self.watermarks) < self.expected or not self.watermarks:
            return NEVER
        lowest = min(self.watermarks.values())
        return self.newest_us if lowest == FOREVER else lowest

    def dump(self) -> dict[str, Any]:
        """The state as plain values."""
        return {
            "expected": self.expected,
            "positions": list(self.positions.items()),
            "watermarks": list(self.watermarks.items()),
            "newest_us": self.newest_us,
        }

    @classmethod
    def load(cls, state: dict[str, Any]) -> "Sources":
        """The sources that `dump` described."""
        return cls(
            expected=state["expected"],
            positions=dict(state["positions"]),
            watermarks=dict(state["watermarks"]),
            newest_us=state["newest_us"],
        )
