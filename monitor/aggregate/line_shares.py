"""Shares of event lines that were repeated, late, incomplete or malformed, of many subjects at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.aggregate.ledger_past import LOST, READ, Key, LedgerPast
from monitor.model.ledger import Aspect
from monitor.model.tick import Bools, Floats, Ints
from monitor.model.time import HOUR
from monitor.stats.shares import beyond, middle, quotient

REPEATED, LATE, INCOMPLETE, MALFORMED, LOST_SHARE = range(5)
"""Columns of the shares; the incomplete lines of a subject are those that lack any of its fields."""
_DAY_HOURS: Final = 24
_AROUND: Final = 3
"""The hours around the same time of the day before."""
_PARTS: Final = (
    Aspect.LINES,
    Aspect.IDENTIFIED,
    Aspect.REPEATED,
    Aspect.MISSING,
    Aspect.INCOMPLETE,
    Aspect.LATE,
    Aspect.MALFORMED,
)
_LINES, _IDENTIFIED, _REPEATED, _MISSING, _INCOMPLETE, _LATE, _MALFORMED = range(len(_PARTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Lines that are looked at together.

    Attributes:
        fields: by event name, the fields that its lines need.
    """

    fields: Mapping[str, Sequence[str]]

    def takes(self, key: Key) -> bool:
        """Whether a count is one of these lines."""
        event, aspect, detail = key
        needed = self.fields.get(event)
        return needed is not None and (aspect != Aspect.MISSING or detail in needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares by subject and column; NaN where unknown. float64[subjects, columns] each.

    Attributes:
        value: over some time.
        usual: of the day before.
        beyond: whether the value is beyond the usual one.
    """

    value: Floats
    usual: Floats
    beyond: Bools


class LineShares:
    """The shares of some subjects, read from the past of the ledgers.

    Args:
        past: what was counted.
        subjects: whose lines.
    """

    def __init__(self, past: LedgerPast, subjects: Sequence[Subject]) -> None:
        self._past = past
        self._subjects = tuple(subjects)
        self._version = -1
        self._parts = np.empty((0, 0))
        self._all = np.empty((0, 0))
        self._bad = np.empty(0)
        self._usual: tuple[int, int, Floats, Floats] | None = None

    def spotless(self, since_us: int, until_us: int) -> bytes | None:
        """Where not one line was affected in a span: which subjects have lines, and which ids.

        Returns:
            What tells such spans apart: all shares are the same where this is. None of other spans.
        """
        self._refresh()
        counts = self._past.between(since_us, until_us) if self._past.version else None
        if counts is None or not counts.any() or counts @ self._bad:
            return None
        part: Floats = self._parts[: 2 * len(self._subjects)] @ counts
        return (part > 0).tobytes()

    def over(self, since_us: int, until_us: int) -> Shares | None:
        """The shares of a span; None where nothing is known of it."""
        self._refresh()
        counts = self._past.between(since_us, until_us) if self._past.version else None
        if counts is None or not counts.any():
            return None
        if not (counts @ self._bad):
            return self._clean(counts)
        value, n = self._shares(counts)
        usual, spread = self._usual_before(since_us // HOUR)
        return Shares(value=value, usual=usual, beyond=beyond(value, n, usual, spread))

    def _clean(self, counts: Ints) -> Shares:
        """The shares where not one line was affected, which is the rule."""
        part = (self._parts @ counts).reshape(len(_PARTS), -1)
        lines, accepted = part[_LINES], part[_LINES] + part[_LATE]
        n = np.stack([part[_IDENTIFIED], accepted, lines, accepted, accepted], axis=-1)
        nothing = np.zeros(n.shape)
        value = np.where(n > 0, 0.0, np.nan)
        return Shares(value=value, usual=nothing, beyond=nothing > 0)

    def _usual_before(self, hour: int) -> tuple[Floats, Floats]:
        """Usual shares and their spread, as of an hour: kept until the next one.

        The larger of the median hour of the day before, which an earlier fault does not move, and of
        the hours around the same time of that day, which know what happens every night.
        """
        known = self._usual
        if known is None or known[:2] != (hour, self._version):
            shares = self._shares(self._past.hourly(hour * HOUR, _DAY_HOURS + 1))[0]
            usual, spread = middle(shares[1:])
            usual = np.fmax(usual, np.fmax.reduce(shares[:_AROUND]))
            for of in (usual, spread):  # where nothing is known of it, nothing is usually lost
                of[:, LOST_SHARE] = np.nan_to_num(of[:, LOST_SHARE])
            known = self._usual = hour, self._version, usual, spread
        return known[2], known[3]

    def _shares(self, counts: Ints) -> tuple[Floats, Floats]:
        """Shares and what they are shares of, by subject and column, of counts by key.

        Dead letters without a name are every subject's by its part of the lines of all.
        """
        numbers = counts.astype(np.float64)
        part = (numbers @ self._parts.T).reshape(*counts.shape[:-1], len(_PARTS), -1)
        part = np.moveaxis(part, -2, 0)
        whole = np.moveaxis(numbers @ self._all.T, -1, 0)[..., None]
        lines, late = part[_LINES], part[_LATE]
        accepted = lines + late
        nameless = whole[1] * quotient(accepted, whole[0])
        malformed = part[_MALFORMED] + np.where(np.isnan(nameless), 0.0, nameless)
        lost, read = np.broadcast_arrays(whole[2], accepted)[0], whole[3]
        pairs = (
            (part[_REPEATED], part[_IDENTIFIED]),
            (late, accepted),
            (np.minimum(part[_MISSING], part[_INCOMPLETE]), lines),
            (malformed, accepted + malformed),
            (lost, lost + read),
        )
        n = np.stack([np.broadcast_to(of, lines.shape) for _, of in pairs], axis=-1)
        return np.stack([quotient(x, of) for x, of in pairs], axis=-1), n

    def _refresh(self) -> None:
        """Work out anew which keys belong to which subject, where there are more of them."""
        if (self._past.version, self._past.size) == (self._version, self._all.shape[-1]):
            return
        self._version, size = self._past.version, self._past.size
        parts = np.zeros((len(_PARTS), len(self._subjects), size))
        self._parts = parts.reshape(len(_PARTS) * len(self._subjects), size)
        self._all = np.zeros((4, size))
        for row, subject in enumerate(self._subjects):
            for marks, aspect in zip(parts[:, row], _PARTS, strict=True):
                for key in filter(subject.takes, self._past.keys(aspect)):
                    self._mark(marks, *key)
        nameless = [key for key in self._past.keys(Aspect.MALFORMED) if not key[0]]
        accepted = [*self._past.keys(Aspect.LINES), *self._past.keys(Aspect.LATE)]
        common = (accepted, nameless, [("", LOST, "")], [("", READ, "")])
        for marks, keys in zip(self._all, common, strict=True):
            for key in keys:
                self._mark(marks, *key)
        affected = (_REPEATED, _MISSING, _LATE, _MALFORMED)
        self._bad = parts[affected, :].sum(axis=(0, 1)) + self._all[1] + self._all[2]

    def _mark(self, row: Floats, event: str, aspect: int, detail: str) -> None:
        place = self._past.column(event, aspect, detail)
        if place is not None:
            row[place] = 1
