"""Runs roles as processes of their own, and starts again what dies.

The children stay in the supervisor's process group. Each has the reading end of a pipe as its
standard input: where the supervisor dies, however it does, the pipe ends and the child stops.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

STOP_SECONDS: Final = 10.0
"""A role that was told to stop and is still there after so long is killed."""

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_SECONDS = 30.0
_log = structlog.get_logger(__name__)

Command = Callable[[str, bool], Sequence[str]]
"""(role, whether it is started again) -> the command line of its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervisor:
    """Keeps roles running.

    Attributes:
        roles: their names.
        command: how a role is started.
        environment: of the processes.
    """

    roles: Sequence[str]
    command: Command
    environment: Mapping[str, str]

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping` is set and every role has ended."""
        await asyncio.gather(*(self._keep(role, stopping) for role in self.roles))
        _log.info("run.stopped")

    async def _keep(self, role: str, stopping: asyncio.Event) -> None:
        pause, again = _FIRST_PAUSE_SECONDS, False
        loop = asyncio.get_running_loop()
        while not stopping.is_set():
            began = loop.time()
            code = await self._once(role, stopping, again=again)
            if stopping.is_set():
                return
            again = True
            if loop.time() - began >= _HEALTHY_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            _log.warning("role.died", role=role, code=code, again_in_seconds=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _once(self, role: str, stopping: asyncio.Event, *, again: bool) -> int:
        """Run a role once; its exit code, negative for a signal."""
        process = await asyncio.create_subprocess_exec(
            *self.command(role, again),
            stdin=asyncio.subprocess.PIPE,
            env=dict(self.environment),
        )
        _log.info("role.started", role=role, pid=process.pid)
        ended = asyncio.create_task(process.wait())
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not ended.done():
            await _stop(role, process, ended)
        return await ended


async def _stop(role: str, process: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await asyncio.wait({ended}, timeout=STOP_SECONDS)
    if not ended.done():
        _log.error("role.killed", role=role, after_seconds=STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
