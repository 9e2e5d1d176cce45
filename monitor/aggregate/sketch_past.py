"""The sketches of closed buckets, beside their sums: rolling over windows, and open to late events."""

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.aggregate.rolling import Rolling
from monitor.aggregate.sketches import EMPTY, Sketch, added, pack, row_of, unpack
from monitor.aggregate.values import Values
from monitor.model.tick import Ints


class SketchPast:
    """Sketches by the start of their bucket; `ClosedBuckets` says when one comes, rolls and goes.

    A window holds the rows of the metrics that are shown over it, and no others.

    Args:
        values: says which window a row has.
        windows_us: the window lengths in use that are longer than a bucket.
    """

    def __init__(self, values: Values, windows_us: Iterable[int]) -> None:
        self._values = values
        self._recent: dict[int, Sketch] = {}
        self._old: dict[int, bytes] = {}
        self._rolling = {window: Rolling(values.measures) for window in windows_us}

    def of(self, start_us: int) -> Sketch:
        """The sketch of one closed bucket, empty where none is kept."""
        recent = self._recent.get(start_us)
        if recent is not None:
            return recent
        old = self._old.get(start_us)
        return EMPTY if old is None else unpack(old)

    def rolling(self, window_us: int) -> Rolling:
        """The sketch of the window that ends with the newest bucket."""
        return self._rolling[window_us]

    def keep(self, start_us: int, sketch: Sketch, *, recent: bool) -> None:
        """Keep or replace the sketch of a bucket: as it is, or compressed."""
        self.forget(start_us)
        if not len(sketch):
            return
        if recent:
            self._recent[start_us] = sketch
        else:
            self._old[start_us] = pack(sketch)

    def roll(self, window_us: int, sketch: Sketch, sign: int) -> None:
        """Add entries to a window, or take them away."""
        if len(sketch):
            mine = self._values.window_us(row_of(sketch.slot)) == window_us
            if mine.any():
                self._rolling[window_us].add(sketch.at(mine), sign)

    def age(self, start_us: int) -> None:
        """Compress a bucket that no window needs any more."""
        sketch = self._recent.pop(start_us, None)
        if sketch is not None:
            self._old[start_us] = pack(sketch)

    def forget(self, start_us: int) -> None:
        """Drop a bucket."""
        self._recent.pop(start_us, None)
        self._old.pop(start_us, None)

    def clear(self, rows: Ints, starts: Iterable[int]) -> None:
        """Empty rows in these buckets, and in all windows."""
        for start in starts:
            sketch = self.of(start)
            left = sketch.of_rows(rows, inside=False)
            if len(left) < len(sketch):
                self.keep(start, left, recent=start in self._recent)
        for rolling in self._rolling.values():
            rolling.clear(rows)

    def dump(self) -> list[Any]:
        """Every bucket's sketch, as bytes; the windows can be worked out from them."""
        recent = ((start, pack(sketch)) for start, sketch in self._recent.items())
        return [[start, data] for start, data in sorted([*self._old.items(), *recent])]

    def load(self, state: list[Any], recent: set[int], since_us: Mapping[int, int]) -> None:
        """Take over what `dump` gave.

        Args:
            state: what `dump` gave.
            recent: buckets that windows may need.
            since_us: by window, the first bucket inside.
        """
        for start, data in state:
            if start in recent:
                self._recent[start] = unpack(data)
            else:
                self._old[start] = data
        for window, since in since_us.items():
            inside = [sketch for start, sketch in self._recent.items() if start >= since]
            self.roll(window, added(inside), +1)
