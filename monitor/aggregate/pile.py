"""Sketches by bucket that are still being added to: merged when they are asked for, or pile up."""

from typing import Any

from monitor.aggregate.sketches import EMPTY, OfUnits, Sketch, merged, pack, unpack
from monitor.model.tick import Ints

_LEAST = 1024
"""Entries that may wait at least; more are merged once they outnumber those that have been."""


class Pile:
    """Parts of sketches by the start of their bucket.

    Args:
        of_units: which slots hold units.
    """

    def __init__(self, of_units: OfUnits) -> None:
        self._of_units = of_units
        self._parts: dict[int, list[Sketch]] = {}

    def add(self, start_us: int, sketch: Sketch) -> None:
        """Add entries to a bucket, in any order and with repeats."""
        if not len(sketch):
            return
        parts = self._parts.setdefault(start_us, [EMPTY])
        parts.append(sketch)
        if sum(map(len, parts[1:])) > max(_LEAST, len(parts[0])):
            parts[:] = [merged(parts, self._of_units)]

    def get(self, start_us: int) -> Sketch:
        """The sketch of a bucket."""
        parts = self._parts.get(start_us)
        if parts is None:
            return EMPTY
        if len(parts) > 1:
            parts[:] = [merged(parts, self._of_units)]
        return parts[0]

    def take(self, start_us: int) -> Sketch:
        """Remove a bucket and return its sketch."""
        sketch = self.get(start_us)
        self._parts.pop(start_us, None)
        return sketch

    def clear(self, rows: Ints) -> None:
        """Forget these rows."""
        for start in list(self._parts):
            left = self.get(start).of_rows(rows, inside=False)
            self._parts[start] = [left]
            if not len(left):
                del self._parts[start]

    def dump(self) -> list[Any]:
        """Every bucket with its sketch, as bytes."""
        return [[start, pack(self.get(start))] for start in sorted(self._parts)]

    def load(self, state: list[Any]) -> None:
        """Take over what `dump` gave."""
        self._parts = {start: [unpack(data)] for start, data in state}
