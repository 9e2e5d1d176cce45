"""The loop that keeps Alertmanager informed: every firing incident again and again, as Prometheus does.

Nothing hangs on one message: a post that fails is tried again for ever, with pauses, and whatever an
Alertmanager forgets in a restart it is told anew. The journal's view remembers up to which change all
was told, so that a restart loses nothing; what is already over when the loop meets a new view is no
news. The end of an incident is posted a few times. One that began and ended between two looks, as when a backlog is worked off, is shown
as firing for a while first: Alertmanager notifies nobody of an alert that it first meets as resolved.
"""

import asyncio
from typing import Protocol

import structlog

from monitor.clock import Clock
from monitor.export.alertmanager import (
    Alert,
    Client,
    FailedError,
    RejectedError,
    firing_alert,
    resolved_alert,
)
from monitor.export.slot import Pace, Slot
from monitor.model.incident import Incident, IncidentState
from monitor.model.time import SECOND
from monitor.telemetry import Counters

INTERVAL_SECONDS = 30.0
"""How often a firing incident is posted again. Alertmanager itself resolves after 5 minutes."""

HOLD_SECONDS = 45.0
"""How long an incident is shown as firing at least: longer than the usual `group_wait` of 30 s."""

LOOK_SECONDS = 1.0
"""How often the journal is looked at."""

LASTS_INTERVALS = 3
"""A firing alert ends by itself after so many intervals without a post."""

BATCH = 100
"""Alerts in one post at most."""

_FIRST_PAUSE_SECONDS = 1.0

_log = structlog.get_logger()
_Key = frozenset[tuple[str, str]]


class View(Protocol):
    """What the loop reads: the store is one."""

    def alerts_after(self, sequence: int) -> tuple[list[Incident], int]:
        """Incidents that changed after that point, oldest change first, and the point reached."""
        ...

    def told(self) -> int | None:
        """Up to which point Alertmanager was told of all changes; None where never."""
        ...

    def set_told(self, sequence: int) -> None:
        """Remember that point."""
        ...


class AlertmanagerPusher:
    """Keeps one Alertmanager informed until it is cancelled.

    Where the view is new, start it when that has caught up with its log: what is over by then is not
    posted.

    Args:
        url: address of Alertmanager.
        view: the journal.
        clock: the wall clock.
        counters: counts posts by outcome.
        base_url: address of the monitor's API, for links back.
        interval_seconds, hold_seconds, look_seconds: see the constants of this module.
    """

    def __init__(
        self,
        url: str,
        view: View,
        clock: Clock,
        *,
        counters: Counters,
        base_url: str | None = None,
        interval_seconds: float = INTERVAL_SECONDS,
        hold_seconds: float = HOLD_SECONDS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._client = Client(url)
        self._view = view
        self._clock = clock
        self._posts = counters.alertmanager_posts
        self._base_url = base_url
        self._pace = Pace(
            interval_us=round(interval_seconds * SECOND), hold_us=round(hold_seconds * SECOND)
        )
        self._look_seconds = look_seconds
        self._slots: dict[_Key, Slot] = {}
        self._sequence: int | None = None
        self._told_sequence: int | None = None
        self._pause_until_us = 0
        self._pause_seconds = 0.0
        self._seen_us = 0
        self._news = asyncio.Event()

    def notify(self) -> None:
        """Something changed: look now. To be called in the event loop's own thread."""
        self._news.set()

    async def run(self) -> None:
        """Look and post until cancelled. No failure of Alertmanager ends it."""
        _log.info("alertmanager.started", address=self._client.address)
        try:
            while True:
                await self._guarded_step()
                try:
                    await asyncio.wait_for(self._news.wait(), self._look_seconds)
                except TimeoutError:
                    continue
                finally:
                    self._news.clear()
        finally:
            await self._client.close()

    async def step(self) -> None:
        """Look once, and post what is due."""
        sequence = await self._look()
        now_us = self._clock()
        self._follow(now_us)
        if now_us >= self._pause_until_us:
            await self._post_due(now_us)
        if sequence != self._told_sequence and all(slot.is_told for slot in self._slots.values()):
            await asyncio.to_thread(self._view.set_told, sequence)
            self._told_sequence = sequence

    def _follow(self, now_us: int) -> None:
        """Where the clock was set back, what was due then is due now: no alert may end of that."""
        back_us, self._seen_us = self._seen_us - now_us, now_us
        if back_us > 0:
            self._pause_until_us -= back_us
            for slot in self._slots.values():
                slot.set_back(back_us)

    async def close(self) -> None:
        """Close the connections; `run` does so itself."""
        await self._client.close()

    async def _guarded_step(self) -> None:
        try:
            await self.step()
        except Exception:  # noqa: BLE001
            # A fault of the reading must not silence all later alerts; the next look may succeed.
            _log.exception("alertmanager.step_failed")

    async def _look(self) -> int:
        if self._sequence is None:
            changed, sequence = await asyncio.to_thread(self._first_look)
        else:
            changed, sequence = await asyncio.to_thread(self._view.alerts_after, self._sequence)
        for incident in changed:
            if incident.state is not IncidentState.PENDING:
                self._take(incident)
        self._sequence = sequence
        return sequence

    def _first_look(self) -> tuple[list[Incident], int]:
        """What fires, whether or not it was told before, and what has ended untold."""
        known, sequence = self._view.alerts_after(0)
        self._told_sequence = self._view.told()
        told = sequence if self._told_sequence is None else self._told_sequence
        news = {incident.alert_id for incident in self._view.alerts_after(told)[0]}
        over = IncidentState.RESOLVED
        return [a for a in known if a.state is not over or a.alert_id in news], sequence

    def _take(self, incident: Incident) -> None:
        key = frozenset((name, value) for name, value in incident.labels.items() if value)
        slot = self._slots.get(key)
        now_us = self._clock()
        if slot is not None and slot.incident.alert_id == incident.alert_id:
            slot.update(incident, now_us, self._pace)
        elif slot is None or slot.yields_to(incident):
            self._slots[key] = Slot(incident, now_us)

    async def _post_due(self, now_us: int) -> None:
        due = [key for key, slot in self._slots.items() if slot.due_us <= now_us]
        for first in range(0, len(due), BATCH):
            if not await self._post(due[first : first + BATCH], now_us):
                return

    async def _post(self, keys: list[_Key], now_us: int) -> bool:
        """Post these; False where they must be posted again."""
        slots = [self._slots[key] for key in keys]
        try:
            await self._client.post([self._alert(slot, now_us) for slot in slots])
        except FailedError as error:
            self._failed(str(error), len(slots))
            return False
        except RejectedError as error:
            self._posts.labels("rejected").inc()
            _log.error("alertmanager.rejected", reason=str(error), alerts=len(slots))
        else:
            self._succeeded()
        for key, slot in zip(keys, slots, strict=True):
            self._told(slot, now_us)
            if slot.is_done:
                del self._slots[key]
        return True

    def _alert(self, slot: Slot, now_us: int) -> Alert:
        if slot.ends(now_us, self._pace):
            slot.ended_us = slot.ended_us or now_us
            return resolved_alert(slot.incident, ended_us=slot.ended_us, base_url=self._base_url)
        return firing_alert(
            slot.incident,
            now_us=now_us,
            ends_us=now_us + LASTS_INTERVALS * self._pace.interval_us,
            base_url=self._base_url,
        )

    def _told(self, slot: Slot, now_us: int) -> None:
        known = (slot.shown_us is not None, slot.ends_told > 0)
        slot.told(now_us, self._pace)
        if known != (slot.shown_us is not None, slot.ends_told > 0):
            event = "alertmanager.resolved" if slot.ends_told else "alertmanager.firing"
            _log.info(event, alert_id=slot.incident.alert_id, metric=slot.incident.metric)

    def _succeeded(self) -> None:
        self._posts.labels("sent").inc()
        if self._pause_seconds:
            _log.info("alertmanager.reached_again", address=self._client.address)
        self._pause_seconds = 0.0

    def _failed(self, reason: str, alerts: int) -> None:
        self._posts.labels("failed").inc()
        longest = self._pace.interval_us / SECOND
        self._pause_seconds = min(2 * self._pause_seconds or _FIRST_PAUSE_SECONDS, longest)
        self._pause_until_us = self._clock() + round(self._pause_seconds * SECOND)
        _log.warning(
            "alertmanager.unreachable",
            reason=reason,
            alerts=alerts,
            again_in_seconds=self._pause_seconds,
            remedy="start Alertmanager, or correct alertmanager.url",
        )
