"""Later steps of units, found by unit: what late events are put together with."""

from typing import Any

import numpy as np

from monitor.aggregate.sketches import ranges
from monitor.model.tick import Ints
from monitor.model.time import NEVER

LARGEST_BLOCK = 1 << 17
"""Blocks do not grow beyond this many events, so that old ones are let go soon."""


class UnitLog:
    """Events as columns (step, key, time), in blocks sorted by key.

    Args:
        most: events that are kept at most; the oldest are let go.

    Attributes:
        from_us: what is older may be missing.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._blocks: list[Ints] = []
        self._newest: list[int] = []
        self.from_us = NEVER

    def __len__(self) -> int:
        return sum(block.shape[1] for block in self._blocks)

    def add(self, events: Ints) -> None:
        """Add events, in any order. int64[3, e]."""
        if not events.shape[1]:
            return
        self._blocks.append(_by_key(events))
        self._newest.append(int(events[2].max()))
        while len(self._blocks) > 1:
            one, two = self._blocks[-2:]
            together = one.shape[1] + two.shape[1]
            if one.shape[1] > 2 * two.shape[1] or together > LARGEST_BLOCK:
                break
            self._blocks[-2:] = [_by_key(np.concatenate([one, two], axis=1))]
            self._newest[-2:] = [max(self._newest[-2:])]
        while len(self._blocks) > 1 and len(self) > self._most:
            del self._blocks[0]
            self.from_us = max(self.from_us, self._newest.pop(0) + 1)

    def of(self, keys: Ints) -> Ints:
        """The events of these units, which are sorted and differ; sorted by step, key, time."""
        found = [np.zeros((3, 0), dtype=np.int64)]
        for block in self._blocks:
            low = np.searchsorted(block[1], keys, side="left")
            high = np.searchsorted(block[1], keys, side="right")
            found.append(block[:, ranges(low, high)])
        events = np.concatenate(found, axis=1)
        sorted_events: Ints = events[:, np.lexsort((events[2], events[1], events[0]))]
        return sorted_events

    def let_go(self, before_us: int) -> None:
        """Drop what only holds events before this time."""
        keep = [i for i, newest in enumerate(self._newest) if newest >= before_us]
        self._blocks = [self._blocks[i] for i in keep]
        self._newest = [self._newest[i] for i in keep]

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {"blocks": self._blocks, "newest": self._newest, "from": self.from_us}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._blocks = list(state["blocks"])
        self._newest = list(state["newest"])
        self.from_us = state["from"]


def _by_key(events: Ints) -> Ints:
    ordered: Ints = events[:, np.argsort(events[1], kind="stable")]
    return ordered
