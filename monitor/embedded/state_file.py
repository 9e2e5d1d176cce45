"""The SQLite file of a service without a broker, held by one process at a time."""

import contextlib
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from monitor.embedded.engine import SourceState
from monitor.embedded.whole_file import PARTIAL
from monitor.errors import StateError
from monitor.journal.store import Store
from monitor.model.record import Record

_SOURCES = "sources"
_states = msgspec.json.Decoder(dict[str, SourceState])


class StoreKeeper:
    """Keeps what an engine decides in a state file; a save is one transaction of it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self.store.path)

    @property
    def has_state(self) -> bool:
        """Whether a service has saved its state here."""
        return self.store.snapshot(_SOURCES) is not None

    def sources(self) -> dict[str, SourceState]:
        """Where the sources stood at the last save."""
        data = self.store.snapshot(_SOURCES)
        try:
            return {} if data is None else _states.decode(data)
        except msgspec.DecodeError as error:
            message = (
                f"{self.store.path}: where the sources stood cannot be read ({error}); move the "
                "file away to start anew"
            )
            raise StateError(message) from error

    def state(self, shard: int) -> bytes | None:
        """The state of a shard at the last save."""
        return self.store.snapshot(shard)

    def keep(self, shard: int, kept: Sequence[Record]) -> None:  # noqa: ARG002 - one file has all
        """Keep these."""
        self.store.commit(kept)

    def save(self, states: Mapping[int, bytes], sources: Mapping[str, SourceState]) -> None:
        """Keep the states and where the sources stand."""
        shards: dict[int | str, bytes] = {shard: state for shard, state in states.items()}  # noqa: C416
        self.store.commit(
            [],
            positions={name: state.position for name, state in sources.items()},
            snapshots={**shards, _SOURCES: msgspec.json.encode(sources)},
        )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """The state file's name, kept by this process; the file itself is not touched.

    Raises:
        StateError: another process holds it, or its folder cannot be written; with the remedy.
    """
    lock_path = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_path.open("w")
    except OSError as error:
        message = (
            f"{error.filename}: cannot be written ({error.strerror}); set journal.sqlite to a path "
            "that can be"
        )
        raise StateError(message) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = (
                f"{path}: another process uses this state file; stop it, or set journal.sqlite "
                "(MONITOR__JOURNAL__SQLITE) to another path"
            )
            raise StateError(message) from None
        yield


@contextlib.contextmanager
def held(path: Path) -> Iterator[Store]:
    """The state file, made where it does not exist.

    Raises:
        StateError: another process holds it, or it cannot be used; with the path and the remedy.
    """
    with locked(path), Store(path) as store:
        yield store


@contextlib.contextmanager
def new(path: Path) -> Iterator[Store]:
    """A state file that appears whole at the end of the `with` block, or not at all.

    Raises:
        StateError: a service has state there, another process holds it, or it cannot be used.
    """
    partial = path.with_name(path.name + PARTIAL)
    with locked(path):
        if path.exists():
            _require_none(path)
        _remove(partial)  # what one that died has left
        try:
            with Store(partial) as store:
                yield store
            _remove(path)
            partial.replace(path)
        finally:
            _remove(partial)


def _require_none(path: Path) -> None:
    with Store(path) as store:
        if StoreKeeper(store).has_state:
            message = (
                f"{path} holds the state of a service, and history cannot be put before it: move "
                "the file away, or set journal.sqlite to another path"
            )
            raise StateError(message)


def _remove(path: Path) -> None:
    """With what SQLite keeps beside it."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
