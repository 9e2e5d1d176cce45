"""How the faults are done: signals to real processes, and settings of a real topic.

Two faults of one target never overlap, those of different targets may. Everything here blocks: each
fault runs in a thread of its own. A `monitor run` that ends although nobody told it to (it was killed,
or found no broker when it started) is started again, as systemd or Kubernetes would do.
"""

import asyncio
import itertools
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from monitor.errors import UnreachableError
from monitor.kafka.broker import Broker, on_loop_error
from monitor.kafka.topics import Topics
from monitor.model.record import Stream
from tests.system import servers
from tests.system.chaos.schedule import WORKERS, Fault, Kind
from tests.system.running import Run

_TINY_BYTES: Final = 100
_USUAL_BYTES: Final = 1_048_588
_PULSE_SECONDS: Final = 1.0
_FROZEN_SHARE: Final = 0.8
_RESTART_SECONDS: Final = 1.0
_START_SECONDS: Final = 4.0
"""What a `monitor run` takes to join its group, about."""


class Cast:
    """The processes of a chaos run.

    Args:
        folder: where their files go.
        kafka: a broker that runs.
        config: the configuration of the monitor.
        alertmanager: starts Alertmanager, always at the same address.
        letters: the topic of the dead letters.
    """

    def __init__(
        self,
        folder: Path,
        kafka: servers.Kafka,
        config: Path,
        alertmanager: Callable[[], servers.Server],
        letters: str,
    ) -> None:
        self.kafka = kafka
        self.workers: dict[str, Run] = {}
        self._folder, self._config = folder, config
        self._start_alertmanager = alertmanager
        self._alertmanager = alertmanager()
        self._letters = letters
        self._turns: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._visitors = itertools.count(1)
        self._away: set[str] = set()
        self._over = threading.Event()

    def start(self) -> None:
        """Start every worker, and wait until all have their partitions and the view is there."""
        for name, role in WORKERS.items():
            self.workers[name] = self._worker(name, role)
        for name, role in WORKERS.items():
            ready = "view.caught_up" if role == "serve" else "partition.opened"
            self.workers[name].wait_for_event(ready)
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        """Start again what ended."""
        while not self._over.wait(_RESTART_SECONDS):
            for name, run in self.workers.items():
                if name not in self._away and not run.alive:
                    run.start()

    def _worker(self, name: str, role: str) -> Run:
        run = Run(self._config, self._folder / name, ["--roles", role])
        run.start()
        return run

    def stop(self) -> dict[str, tuple[int, float]]:
        """Tell every worker to stop; exit code and seconds by name."""
        self._over.set()
        return {name: run.stop() for name, run in self.workers.items()}

    def destroy(self) -> None:
        """Leave nothing behind."""
        self._over.set()
        for run in self.workers.values():
            run.destroy()
        self._alertmanager.stop()

    def do(self, fault: Fault) -> None:
        """Do a fault, from its begin to its end."""
        how = {
            Kind.KILL_ROLE: self._kill_role,
            Kind.KILL_RUN: self._kill_run,
            Kind.END_RUN: self._end_run,
            Kind.FREEZE_ROLE: self._freeze_role,
            Kind.VISITOR: self._visit,
            Kind.BROKER_KILLED: self._kill_broker,
            Kind.BROKER_AWAY: self._kill_broker,
            Kind.BROKER_FROZEN: self._freeze_broker,
            Kind.ALERTMANAGER_DEAD: self._kill_alertmanager,
            Kind.ALERTMANAGER_SLOW: self._slow_down,
            Kind.LETTERS_FULL: self._fill_letters,
        }
        with self._turns[fault.target]:
            how[fault.kind](fault)

    def _kill_role(self, fault: Fault) -> None:
        self._signal(fault.target, signal.SIGKILL)

    def _kill_run(self, fault: Fault) -> None:
        self.workers[fault.target].stop(signal.SIGKILL)

    def _end_run(self, fault: Fault) -> None:
        self._away.add(fault.target)
        self.workers[fault.target].stop()
        time.sleep(fault.seconds)
        self._away.remove(fault.target)

    def _kill_broker(self, fault: Fault) -> None:
        self.kafka.stop()
        time.sleep(fault.seconds)
        self.kafka.start()

    def _freeze_broker(self, fault: Fault) -> None:
        self.kafka.signal(signal.SIGSTOP)
        time.sleep(fault.seconds)
        self.kafka.signal(signal.SIGCONT)

    def _kill_alertmanager(self, fault: Fault) -> None:
        self._alertmanager.stop()
        time.sleep(fault.seconds)
        self._alertmanager = self._start_alertmanager()

    def _fill_letters(self, fault: Fault) -> None:
        self._limit(_TINY_BYTES)
        time.sleep(fault.seconds)
        self._limit(_USUAL_BYTES)

    def _signal(self, worker: str, number: int) -> int | None:
        """Signal the process of a worker's role; its id, or None where it is not there now."""
        pid = self.workers[worker].pids(WORKERS[worker])[-1]
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None
        return pid

    def _freeze_role(self, fault: Fault) -> None:
        pid = self._signal(fault.target, signal.SIGSTOP)
        time.sleep(fault.seconds)
        if pid is not None:
            os.kill(pid, signal.SIGCONT)

    def _visit(self, fault: Fault) -> None:
        name = f"{fault.target}-visitor-{next(self._visitors)}"
        run = self._worker(name, fault.target)
        try:
            time.sleep(fault.seconds + _START_SECONDS)
            run.stop()
        finally:
            run.destroy()

    def _slow_down(self, fault: Fault) -> None:
        until = time.monotonic() + fault.seconds
        while time.monotonic() < until:
            os.killpg(self._alertmanager.process.pid, signal.SIGSTOP)
            time.sleep(_FROZEN_SHARE * _PULSE_SECONDS)
            os.killpg(self._alertmanager.process.pid, signal.SIGCONT)
            time.sleep((1 - _FROZEN_SHARE) * _PULSE_SECONDS)

    def _limit(self, size: int) -> None:
        """Set the longest message of the dead letters' topic; tried until the broker takes it."""

        # Kafka takes what is not named here for a return to its defaults.
        own = Topics(prefix="", shards=1).settings[Stream.DEAD_LETTERS]
        settings = {**own, "max.message.bytes": str(size)}

        async def alter() -> None:
            asyncio.get_running_loop().set_exception_handler(on_loop_error)
            resource = ConfigResource(ConfigResourceType.TOPIC, self._letters, settings)
            async with Broker(address=self.kafka.address).admin() as admin:
                await admin.alter_configs([resource])

        while True:
            try:
                asyncio.run(alter())
            except (UnreachableError, KafkaError, OSError, TimeoutError):
                time.sleep(1)
            else:
                return
