"""Drifts of a lane: once a day its wholes are compared with the week before."""

from typing import Any

import numpy as np

from monitor.aggregate.panel import Panel
from monitor.alert.drifts import Drifts
from monitor.alert.lifecycle import Change
from monitor.baseline import Baseline
from monitor.core.contexts import Contexts
from monitor.guard import Drift
from monitor.model.tick import Bools, Floats, Ints, Reason, Traits


class LaneDrifts:
    """Composes what is known of the weeks, what is decided of it, and its tickets.

    Args:
        panel: the rows.
        baseline: what was learnt of them.
        contexts: which series a row is.
    """

    def __init__(self, panel: Panel, baseline: Baseline, contexts: Contexts) -> None:
        self._panel, self._baseline, self._contexts = panel, baseline, contexts
        self._drift, self._tickets = Drift(), Drifts()

    def step(self, end_us: int, now_us: int, traits: Traits, accepted: Bools) -> list[Change]:
        """Take in a judged bucket that was learnt.

        Args:
            end_us: its end.
            now_us: when it could be judged.
            traits: of the rows.
            accepted: rows whose shift has become the new normal.
        """
        if accepted.any():
            self._drift.note_steps(accepted, end_us)
        if not self._drift.is_due(end_us):
            return []
        self._drift.looked(end_us)
        log_threshold = self._log_threshold(traits)
        rows = np.flatnonzero(np.isfinite(log_threshold))
        weeks = self._baseline.weeks(rows, traits) if rows.size else None
        if weeks is None:
            return []
        found = self._drift.step(weeks, traits, log_threshold[rows])
        return self._tickets.update(weeks, found, self._contexts.identity, now_us)

    def _log_threshold(self, traits: Traits) -> Floats:
        """By row, infinite for what is no whole and where drifts are not looked for."""
        metric = self._panel.series.table["metric"]
        by_metric = np.array([*(m.drift_log_threshold for m in self._panel.metrics), np.inf])
        whole = (traits.parent < 0) & (traits.up | traits.down)
        found: Floats = np.where(whole, by_metric[metric], np.inf)
        return found

    def append(self, count: int) -> None:
        """Add rows that nothing is known of."""
        self._drift.table.append(count)

    def clear(self, rows: Ints, now_us: int | None, reason: Reason) -> list[Change]:
        """Forget rows whose series is no more; their tickets end."""
        self._drift.table.clear(rows)
        return self._tickets.drop(rows.tolist(), now_us, reason)

    def end_history(self) -> list[Change]:
        """End the open tickets, and keep what was learnt."""
        self._drift.end_history()
        return self._tickets.drop(self._tickets.rows(), None, Reason.HISTORY_ENDED)

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {"drift": self._drift.dump(), "tickets": self._tickets.dump()}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._drift.load(state["drift"])
        self._tickets.load(state["tickets"])
