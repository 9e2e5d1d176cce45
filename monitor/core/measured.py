"""Open tickets of a measurement that moved: whether it still accounts for what is observed.

Over the last few buckets the shift must be beyond noise and the null band, so must be what is left of it
without the measurement's part, and that part must be less than half of it: then the ticket ends, and evidence starts anew, so that
a real shift behind it is found and paged. Where the shift is gone, the guard's recovery ends it.
"""

import math
from typing import Any, Final

from monitor.alert.judged import Judged
from monitor.core.contexts import Contexts
from monitor.diagnose import is_moved

RECENT: Final = 5
"""Buckets over which an open ticket is looked at again."""
_SDS: Final = 4.0
_BAND_SDS: Final = 2.0
_BAND_MARGIN: Final = 1.5
"""As the guard's recovery has it: a shift within so many null bands is none."""

_Sums = tuple[int, float, float, float]
"""(end of the bucket, x, expected x, variance of x), the last three since the incident's start."""


class MeasuredTickets:
    """Follows the open tickets of a lane, by row."""

    def __init__(self) -> None:
        self._sums: dict[int, list[_Sums]] = {}

    def unaccounted(self, rows: list[int], judged: Judged, contexts: Contexts) -> list[int]:
        """Take in a bucket; returns the rows whose shift the measurement accounts for no more.

        Args:
            rows: those that have such a ticket now.
            judged: the bucket.
            contexts: to look at the measurement with.
        """
        self._sums = {row: self._sums.get(row, []) for row in rows}
        return [row for row in rows if self._is_unaccounted(row, judged, contexts)]

    def _is_unaccounted(self, row: int, judged: Judged, contexts: Contexts) -> bool:
        decision = judged.decision
        columns = (decision.sum_x, decision.sum_expected, decision.sum_variance)
        kept = self._sums[row]
        kept.append((judged.end_us, *(float(column[row]) for column in columns)))  # type: ignore[arg-type]
        del kept[: -RECENT - 1]
        if len(kept) <= RECENT:
            return False
        since_us = kept[0][0]
        x, expected, variance = (
            now - then for now, then in zip(kept[-1][1:], kept[0][1:], strict=True)
        )
        if expected <= 0:
            return False
        shift, sd_level = x / expected - 1.0, float(judged.expectation.sd_level[row])
        band = max(float(judged.traits.min_relative_shift[row]), _BAND_SDS * sd_level)
        noise = math.sqrt(max(variance, 0.0) / expected**2 + sd_level**2)
        least = max(_BAND_MARGIN * band, _SDS * noise)
        if not abs(shift) > least:
            return False
        found = contexts.account(row, judged, shift, since_us)
        by_itself = 1.0 + (0.0 if found is None else found.effect)
        left = (1.0 + shift) / by_itself - 1.0
        return abs(left) > least / math.sqrt(min(by_itself, 1.0)) and not is_moved(found)

    def dump(self) -> list[list[Any]]:
        """The sums as plain values."""
        return [[row, [list(one) for one in kept]] for row, kept in sorted(self._sums.items())]

    def load(self, state: list[list[Any]]) -> None:
        """Take over what `dump` gave."""
        self._sums = {row: [tuple(one) for one in kept] for row, kept in state}
