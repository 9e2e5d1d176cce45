"""How far the reading of files is: bytes, events a second, time left; on a terminal only."""

from collections.abc import Sequence
from time import perf_counter
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from monitor.ingest.files import LineFile


class Watch:
    """Progress of a verb that reads files, on standard error.

    Args:
        verb: what is done.
        inputs: the files.
    """

    def __init__(self, verb: str, inputs: Sequence[LineFile]) -> None:
        sizes = [file.size for file in inputs]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        self._events = 0
        self._began = perf_counter()
        stderr = Console(stderr=True)
        self._bar = Progress(
            TextColumn(verb),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=stderr,
            disable=not stderr.is_terminal,
            transient=True,
        )
        self._task: TaskID = self._bar.add_task(verb, total=total, rate="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def advance(self, read: int, events: int) -> None:
        """Bytes and events read since the last call."""
        self._events += events
        rate = self._events / max(perf_counter() - self._began, 1e-9)
        self._bar.update(self._task, advance=read, rate=f"{rate:,.0f} events/s")

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
