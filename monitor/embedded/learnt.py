"""What metrics can see, from a history that is read for it or from the state of a service."""

from collections.abc import Callable, Sequence
from pathlib import Path

from monitor.clock import Clock
from monitor.core.effects import Effect
from monitor.core.machine import Machine
from monitor.definitions.plan import Plan
from monitor.embedded.detectable import Detectable, detectable_by_metric
from monitor.embedded.replay import Replay
from monitor.ingest.envelope import Fields
from monitor.ingest.files import LineFile
from monitor.journal.store import Store
from monitor.model.event import DeadLetter
from monitor.model.time import DAY, FOREVER


class _Nowhere:
    """Keeps nothing of a replay."""

    def effects(self, effects: Sequence[Effect]) -> None:
        """Let go of what the core decided."""

    def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Let go of what could not be used."""


def seen_by_history(
    files: Sequence[LineFile],
    *,
    plan: Plan,
    fields: Fields | None,
    clock: Clock,
    progress: Callable[[int, int], None] = lambda _bytes, _lines: None,
) -> dict[str, Detectable]:
    """What each metric can see after a history; its files are read to their ends.

    Args:
        files: what to read.
        plan: the compiled definitions, of one shard.
        fields: the custom envelope, or None.
        clock: the wall clock.
        progress: called with the bytes and the lines read since the last call.
    """
    run = Replay(files, plan=plan, fields=fields, clock=clock, sink=_Nowhere(), progress=progress)
    run.run()
    span = run.totals.span_us
    return detectable_by_metric(run.machine, span[1] if span else None)


def seen_by_state(path: Path, plan: Plan) -> dict[str, Detectable] | None:
    """What each metric can see, from the state file of a service; None where there is no state.

    Args:
        path: the SQLite file.
        plan: the compiled definitions, of one shard.

    Raises:
        StateError: the file or the state cannot be read.
    """
    if not path.is_file():
        return None
    with Store(path) as store:
        data = store.snapshot(0)
    if data is None:
        return None
    machine, _ = Machine.restore(plan, 0, data)
    return detectable_by_metric(machine, _last_us(machine))


def _last_us(machine: Machine) -> int | None:
    """A day that has been learnt: a history that was put before a service has no watermark left."""
    if 0 < machine.watermark_us < FOREVER:
        return machine.watermark_us
    ends = [end for lane in machine.lanes if (end := lane.baseline.learnt_until_us) is not None]
    return max(ends) - DAY if ends else None
