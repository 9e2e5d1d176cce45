"""Roles as processes: started again when they die, told to stop, killed where they do not."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from monitor.kafka import supervisor
from monitor.kafka.supervisor import Supervisor


def program(text: str) -> Callable[[str, bool], Sequence[str]]:
    """A role that runs this text; `again` says whether it is started again, `role` its name."""
    return lambda role, again: [
        sys.executable,
        "-c",
        f"import os, signal, sys, time; role, again = {role!r}, {again}\n{text}",
    ]


async def run(made: Supervisor, until: Callable[[], bool]) -> None:
    stopping = asyncio.Event()
    task = asyncio.create_task(made.run(stopping))
    async with asyncio.timeout(20):
        while not until():  # noqa: ASYNC110 - a file of another process is waited for
            await asyncio.sleep(0.02)
        stopping.set()
        await task


async def test_a_role_that_dies_is_started_again_and_knows_it(tmp_path: Path) -> None:
    text = f"""
open({str(tmp_path)!r} + f"/{{role}}-{{again}}-{{os.getpid()}}", "w").close()
if again: sys.stdin.read()
else: os.kill(os.getpid(), signal.SIGKILL)
"""
    made = Supervisor(roles=["one", "two"], command=program(text), environment=dict(os.environ))
    await run(made, lambda: len(list(tmp_path.glob("*-True-*"))) == 2)
    names = {"-".join(name.split("-")[:2]) for name in os.listdir(tmp_path)}  # noqa: PTH208
    assert names == {"one-False", "one-True", "two-False", "two-True"}


async def test_a_role_that_does_not_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    ready = tmp_path / "ready"
    text = (
        f"signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    )
    made = Supervisor(roles=["deaf"], command=program(text), environment=dict(os.environ))
    await run(made, ready.exists)


async def test_a_role_is_told_to_stop(tmp_path: Path) -> None:
    ready, told = tmp_path / "ready", tmp_path / "told"
    text = f"""
def stop(*_): open({str(told)!r}, "w").close(); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
open({str(ready)!r}, "w").close()
time.sleep(60)
"""
    made = Supervisor(roles=["polite"], command=program(text), environment=dict(os.environ))
    await run(made, ready.exists)
    assert told.exists()
