"""Cells to `Deltas`: one pass per event name, set of groupings and calendar, shared by metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.definitions.plan import Form, Measure, MetricPlan
from monitor.ingest import entries, sums, unit_events
from monitor.ingest.cells import Block
from monitor.ingest.combos import Combos
from monitor.ingest.entries import Grown, Keyed
from monitor.ingest.grew import Did, Grew, beside
from monitor.ingest.numbering import changes
from monitor.ingest.series import Projections
from monitor.ingest.shape import Selector, Shape, Want, selector_of, steps_of
from monitor.ingest.slots import Rows
from monitor.ingest.spread import Spread, spread
from monitor.ingest.unit_events import Timed
from monitor.model.frame import Deltas

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Groupings = tuple[tuple[str, ...], ...]


class Rollup:
    """Rolls one flush up. Made anew for every flush; `projections` outlives it.

    Args:
        shapes: by event name.
        combos: by event name, what the numbers in its block mean.
        blocks: the cells by event name; names without cells are not in it.
        keys: by unit, the hashes of the units of the blocks, by rank. int64
        rows: by calendar (its index), the rows of the slots.
        projections: which series the combos belong to.
    """

    def __init__(
        self,
        *,
        shapes: Mapping[str, Shape],
        combos: Mapping[str, Combos],
        blocks: Mapping[str, Block],
        keys: Mapping[str, Ints],
        rows: Sequence[Rows],
        projections: Projections,
    ) -> None:
        self._shapes = shapes
        self._blocks = blocks
        self._unit_keys = keys
        self._rows = rows
        self._projections = projections
        for event in blocks:
            projections.extend(event, shapes[event].dimensions, combos[event].labels)
        self._holds = {
            event: combos[event].matrix()[block.combo] for event, block in blocks.items()
        }
        self._spreads: dict[tuple[str, Groupings, int], Spread] = {}
        self._counts: dict[tuple[str, Groupings, int, Selector], Floats] = {}
        self._levels: dict[tuple[str, str], list[Floats]] = {}
        self._keyed: dict[tuple[str, Form, str], Keyed] = {}
        self._grown: dict[tuple[str, Groupings, int, Form, Selector], Grown] = {}
        self._timed: dict[tuple[str, str], Timed] = {}
        self._steps: dict[tuple[Want, int, bool], Grown] = {}

    def deltas(self, metric: MetricPlan, calendar: int) -> Deltas | None:
        """What a metric's measures grew by; None where nothing concerns it.

        Args:
            metric: the metric.
            calendar: the index of its calendar.
        """
        grew = self._grew(metric, calendar)
        if metric.followed:
            grew = beside(grew, self._did(metric, calendar), len(metric.measures))
        return None if grew is None else self._columns(metric, calendar, grew)

    def _grew(self, metric: MetricPlan, calendar: int) -> Grew | None:
        """What the measures grew by that events add to; None where nothing concerns them."""
        measures = [
            (place, measure) for place, measure in metric.counted if measure.event in self._blocks
        ]
        if not measures:
            return None
        groupings = metric.groupings
        keys = self._keys(measures, groupings, calendar)
        high = np.zeros((keys.size, len(metric.measures)))
        low = np.zeros_like(high)
        present = np.zeros(keys.size, np.bool_)
        grown: list[tuple[int, Grown]] = []
        for place, measure in measures:
            own = self._spread(measure.event, groupings, calendar).keys
            at: slice | Ints = slice(None) if own is keys else np.searchsorted(keys, own)
            if measure.form is not Form.SUM:
                part = self._growth(measure, groupings, calendar)
                part = replace(part, row=np.searchsorted(keys, own[part.row]))
                present[part.row] = True
                grown.append((place, part))
                continue
            count = self._count(measure, groupings, calendar)
            present[at] |= count > 0
            if measure.value is None:
                high[at, place] = count
            else:
                high[at, place], low[at, place] = self._sum(measure, groupings, calendar)
        if not present.any():
            return None
        few = Grew(keys=keys[present], high=high[present], low=low[present])
        if all(measure.form is Form.SUM for _, measure in metric.counted):
            return few
        return replace(few, entries=entries.joined(grown, np.cumsum(present) - 1))

    def _did(self, metric: MetricPlan, calendar: int) -> Did | None:
        """What units did that the cohorts of a metric look at; None where none did anything."""
        series = self._projections.index(metric.event_groupings).size
        found: list[tuple[int, Ints, Timed, Grown]] = []
        for place, (want, is_start) in enumerate(steps_of(metric)):
            if want.event in self._blocks:
                part = self._step(want, calendar, is_start=is_start)
                # the whole, the only series of later steps, is the first one of any groupings
                own = self._spread(want.event, want.groupings, calendar).keys
                found.append((place, own if is_start else own * series, self._times(want), part))
        if not found:
            return None
        used = [own[part.row[changes(part.row)]] for _, own, _, part in found]
        keys = np.unique(np.concatenate(used))
        if not keys.size:
            return None
        parts = [(place, timed, part) for place, _, timed, part in found]
        rows = [np.searchsorted(keys, own)[part.row] for _, own, _, part in found]
        return Did(keys=keys, units=unit_events.joined(parts, rows))

    def _step(self, want: Want, calendar: int, *, is_start: bool) -> Grown:
        """The moments of a step; its rows are keys of its event's spread."""
        known = self._steps.get((want, calendar, is_start))
        if known is None:
            timed = self._times(want)
            spreading = self._spread(want.event, want.groupings, calendar)
            chosen = self._holding(want.event, want.selector)
            known = entries.grown(timed.by_cell, chosen, spreading.rows())
            if is_start:
                known = unit_events.as_starts(known, timed)
            self._steps[want, calendar, is_start] = known
        return known

    def _times(self, want: Want) -> Timed:
        """When the units of an event name did it, whichever of its events the step takes."""
        unit = want.selector.unit or ""
        known = self._timed.get((want.event, unit))
        if known is None:
            known = unit_events.timed(self._blocks[want.event].units[unit], self._unit_keys[unit])
            self._timed[want.event, unit] = known
        return known

    def _keys(
        self, measures: list[tuple[int, Measure]], groupings: Groupings, calendar: int
    ) -> Ints:
        events = sorted({measure.event for _, measure in measures})
        keys = [self._spread(event, groupings, calendar).keys for event in events]
        return keys[0] if len(keys) == 1 else np.unique(np.concatenate(keys))

    def _columns(self, metric: MetricPlan, calendar: int, grew: Grew) -> Deltas:
        index = self._projections.index(metric.event_groupings)
        row, series = np.divmod(grew.keys, index.size)
        used, number = np.unique(series, return_inverse=True)
        rows = self._rows[calendar]
        return Deltas(
            metric=metric.name,
            formula=metric.formula,
            groups=index.group[used].astype(np.int16),
            segments=[index.segments[one] for one in used.tolist()],
            late=rows.late[row],
            bucket=rows.bucket[row],
            series=number.astype(np.int32),
            hi=grew.high,
            lo=grew.low,
            entries=grew.entries,
            units=grew.units,
        )

    def _count(self, measure: Measure, groupings: Groupings, calendar: int) -> Floats:
        """Events of a measure's selector, by key of its event's spread; exact below 2^53."""
        selector = selector_of(measure)
        known = self._counts.get((measure.event, groupings, calendar, selector))
        if known is None:
            spread = self._spread(measure.event, groupings, calendar)
            weights = self._blocks[measure.event].count * self._chosen(measure)
            known = _totals(spread.row, weights[spread.cell], spread.keys.size)
            self._counts[measure.event, groupings, calendar, selector] = known
        return known

    def _sum(self, measure: Measure, groupings: Groupings, calendar: int) -> tuple[Floats, Floats]:
        """The sum of a measure's values, by key of its event's spread, as (hi, lo)."""
        spread = self._spread(measure.event, groupings, calendar)
        chosen, size = self._chosen(measure), spread.keys.size
        parts = [
            _totals(spread.row, (part * chosen)[spread.cell], size)
            for part in self._cell_levels(measure)
        ]
        return sums.pair(parts, size)

    def _cell_levels(self, measure: Measure) -> list[Floats]:
        """By level of `sums.levels`, the sum of a value by cell."""
        event, field = measure.event, measure.value or ""
        known = self._levels.get((event, field))
        if known is None:
            cells, numbers = self._blocks[event].values[field]
            size = self._blocks[event].count.size
            known = [_totals(cells, part, size) for part in sums.levels(numbers)]
            self._levels[event, field] = known
        return known

    def _growth(self, measure: Measure, groupings: Groupings, calendar: int) -> Grown:
        """What a measure that is no sum grew by; its rows are keys of its event's spread."""
        place = (measure.event, groupings, calendar, measure.form, selector_of(measure))
        known = self._grown.get(place)
        if known is None:
            of, chosen = self._keys_of(measure), self._chosen(measure)
            spreading = self._spread(measure.event, groupings, calendar)
            known = entries.grown(of, chosen, spreading.rows())
            if measure.form is Form.UNIQUES:
                known = entries.as_units(known)
            self._grown[place] = known
        return known

    def _keys_of(self, measure: Measure) -> Keyed:
        """The keys of a measure's event name by cell, whichever of its events the measure takes."""
        block, what = self._blocks[measure.event], measure.unit or measure.value or ""
        known = self._keyed.get((measure.event, measure.form, what))
        if known is None:
            if measure.form is Form.UNIQUES:
                seen, keys = block.units[what], self._unit_keys[what]
                known = Keyed(cell=seen.cell, rank=seen.what, count=None, keys=keys)
            else:
                seen = block.binned[what]
                keys, rank = np.unique(seen.what, return_inverse=True)
                known = Keyed(cell=seen.cell, rank=rank, count=seen.count, keys=keys)
            self._keyed[measure.event, measure.form, what] = known
        return known

    def _chosen(self, measure: Measure) -> NDArray[np.bool_]:
        """By cell, whether the measure takes its events."""
        return self._holding(measure.event, selector_of(measure))

    def _holding(self, event: str, selector: Selector) -> NDArray[np.bool_]:
        """By cell of an event name, whether a selector takes its events."""
        return self._holds[event][:, self._shapes[event].selectors.index(selector)]

    def _spread(self, event: str, groupings: Groupings, calendar: int) -> Spread:
        known = self._spreads.get((event, groupings, calendar))
        if known is None:
            block, index = self._blocks[event], self._projections.index(groupings)
            of_combo = self._projections.series(event, groupings)
            series = [column[block.combo] for column in of_combo]
            known = spread(block.slot, series, self._rows[calendar], index.size)
            self._spreads[event, groupings, calendar] = known
        return known


def _totals(places: Ints, weights: Floats | Ints, size: int) -> Floats:
    """The sum of the weights at each place."""
    return np.asarray(np.bincount(places, weights, size), np.float64)
