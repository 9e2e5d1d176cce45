"""The folder of a `monitor run` on this machine: view files, counters of the roles, locks.

It is named by prefix and port, so that two services do not meet, while `--roles ingest` beside
`--roles core,serve` of one service do: their counters add up in one `/metrics`. Nothing in it must
survive: the journal's topics hold the state.
"""

import contextlib
import fcntl
import os
import uuid
from pathlib import Path
from typing import IO

from monitor.definitions import Configuration
from monitor.settings import KafkaJournal

_IDENTITY = "id"


class StateFolder:
    """The folder.

    Args:
        root: where the folders of all services are.
        prefix: of the journal.
        port: of the API.
        name: of this run among those of the service, where the folder does not outlive it.
    """

    def __init__(self, root: Path, *, prefix: str, port: int, name: str | None = None) -> None:
        self.path = root / f"{prefix}-{port}"
        self._name = name
        self._held: list[IO[bytes]] = []

    @classmethod
    def of(
        cls, configuration: Configuration, root: Path, *, name: str | None = None
    ) -> "StateFolder":
        """The folder of a configuration."""
        settings = configuration.settings
        journal = settings.kafka_journal or KafkaJournal()
        return cls(root, prefix=journal.prefix, port=settings.api.port, name=name)

    @property
    def counters(self) -> Path:
        """Where the roles keep their counters (prometheus-client's multiprocess mode)."""
        return self.path / "counters"

    def view(self, cluster: str, *, of: str = "view") -> Path:
        """A role's view of a Kafka cluster: offsets of another one would mean something else."""
        return self.path / f"{of}-{cluster}.db"

    def enter(self) -> None:
        """Make it, and empty the counters unless another run is using them. Held until exit."""
        self.counters.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), (self.path / _IDENTITY).open("x") as new:
            # Tells this folder from those of the same name on other machines and in containers.
            new.write(f"{self.path.name}-{uuid.uuid4().hex}")
        lock = self._open("run.lock")
        if _locks(lock, fcntl.LOCK_EX):
            for file in self.counters.glob("*.db"):
                file.unlink(missing_ok=True)
        _locks(lock, fcntl.LOCK_SH)

    def instance(self, role: str) -> str | None:
        """The name of a role's process as a static group member; None where one has it already.

        A restart under the same name gets its partitions at once, where a new name would have to
        wait for the old session to end. Held until the process ends, however it does.
        """
        if _locks(self._open(f"{role}.lock"), fcntl.LOCK_EX):
            return f"{self._name or (self.path / _IDENTITY).read_text()}-{role}"
        return None

    def seat(self, role: str) -> str:
        """What a role's process counts as: `ROLE-0`, or the next that none has at this time.

        Held until the process ends, however it does: its successor goes on with its counters.
        """
        number = 0
        while not _locks(self._open(f"{role}-{number}.lock"), fcntl.LOCK_EX):
            number += 1
        return f"{role}-{number}"

    def close(self) -> None:
        """Release the locks."""
        while self._held:
            self._held.pop().close()

    def _open(self, name: str) -> IO[bytes]:
        file = os.fdopen(os.open(self.path / name, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        self._held.append(file)
        return file


def _locks(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
