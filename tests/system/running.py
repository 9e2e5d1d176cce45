"""`monitor run` as a user starts it: a process tree, its log, and ways to hurt it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ORDERS = "metrics:\n  - {name: orders, kind: count, of: {event: order}}\n"
PROGRAM = (sys.executable, "-c", "from monitor.cli import main; main()")


def configured(folder: Path, service: str, metrics: str = ORDERS) -> Path:
    """A configuration folder with this `monitor.yaml` and one file of metrics."""
    (folder / "metrics").mkdir(parents=True)
    (folder / "metrics" / "shop.yaml").write_text(metrics)
    (folder / "monitor.yaml").write_text(service)
    return folder


class Run:
    """A running `monitor run`.

    Attributes:
        log_file: what it logged.
    """

    def __init__(self, config: Path, state: Path, arguments: Sequence[str] = ()) -> None:
        self._command = [
            *PROGRAM,
            "run",
            "--config",
            str(config),
            "--state",
            str(state),
            *arguments,
        ]
        self.log_file = state.parent / f"{state.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log_file.open("ab") as out:
            self._process = subprocess.Popen(
                self._command, stdout=out, stderr=out, start_new_session=True
            )

    def log(self) -> list[dict[str, Any]]:
        """Every line that is whole."""
        lines = self.log_file.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) if line.startswith(b"{") else {"event": line} for line in lines]

    def pids(self, role: str) -> list[int]:
        """Of every process that the role has had, oldest first."""
        started = [e for e in self.log() if e["event"] == "role.started" and e["role"] == role]
        return [int(entry["pid"]) for entry in started]

    def kill(self, role: str) -> int:
        """kill -9 of the role's process."""
        pid = self.pids(role)[-1]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for(self, what: Callable[[list[dict[str, Any]]], bool], seconds: float = 60) -> None:
        """Wait until the log says so."""
        deadline = time.monotonic() + seconds
        while not what(self.log()):
            if time.monotonic() > deadline or not self.alive:
                message = f"the log does not say so: {self.tail()}"
                raise AssertionError(message)
            time.sleep(0.1)

    def wait_for_event(self, event: str, count: int = 1, seconds: float = 60) -> None:
        """Wait until an event was logged so often."""
        self.wait_for(lambda log: sum(e["event"] == event for e in log) >= count, seconds)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Signal the supervisor and wait; its exit code, and the seconds it took."""
        assert self._process is not None
        begun = time.monotonic()
        self._process.send_signal(number)
        code = self._process.wait(timeout=30)
        return code, time.monotonic() - begun

    def destroy(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            self._process.wait(timeout=10)

    def tail(self) -> str:
        return self.log_file.read_text(errors="replace")[-3000:]
