"""The SQLite file of the journal: its tables, how it is opened, and what its errors mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.errors import StateError

FORMAT = "1"
"""Version of the tables below; a file of another one is refused."""

BUSY_SECONDS = 10.0
"""How long a reader or the writer waits for the other before it gives up."""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE alerts (
    alert_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX alerts_by_state ON alerts (state);
CREATE INDEX alerts_by_sequence ON alerts (sequence);
CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    metric TEXT NOT NULL,
    dimension TEXT NOT NULL,
    UNIQUE (metric, dimension)
);
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id),
    start_us INTEGER NOT NULL,
    partial INTEGER NOT NULL DEFAULT 0,
    body BLOB,
    restated BLOB,
    UNIQUE (group_id, start_us)
);
CREATE TABLE releases (key TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE verdicts (key TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE dead_letters (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE positions (source TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE snapshots (shard TEXT PRIMARY KEY, data BLOB NOT NULL);
"""

_PRIMARY = 0xFF
"""SQLite's extended error codes carry the primary one in the low byte."""

_ASIDE = "move it away and start again: the monitor rebuilds it"

_REMEDIES = {
    sqlite3.SQLITE_NOTADB: f"is not a database of the monitor; name another file, or {_ASIDE}",
    sqlite3.SQLITE_CORRUPT: f"is damaged; {_ASIDE}",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full; free space and start again",
    sqlite3.SQLITE_BUSY: "is locked by another process; stop that one, or name another file",
    sqlite3.SQLITE_LOCKED: "is locked by another process; stop that one, or name another file",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that it is a file and who may read it",
    sqlite3.SQLITE_READONLY: "cannot be written; check the permissions of file and folder",
    sqlite3.SQLITE_PERM: "cannot be written; check the permissions of file and folder",
    sqlite3.SQLITE_IOERR: "cannot be read or written; check the disk and the free space",
}


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turns an error of SQLite into a `StateError` with the path, the reason and the remedy."""
    try:
        yield
    except (sqlite3.DatabaseError, sqlite3.InterfaceError) as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        told = _REMEDIES.get(code, f"does not work; {_ASIDE}")
        message = f"{path}: the state file {told} ({error})"
        raise StateError(message) from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection that any one thread at a time may use; nothing is read or written yet."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def prepare(path: Path) -> sqlite3.Connection:
    """The writer's connection to the file, which is made with its folder where it does not exist.

    Raises:
        StateError: the file is no state of this monitor, or of another format version, or cannot
            be used.
    """
    if path.is_dir():
        message = f"{path}: the state file is a folder; name a file, such as {path / 'monitor.db'}"
        raise StateError(message)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{path}: its folder cannot be made ({error.strerror}); name another file"
        raise StateError(message) from error
    with guarded(path):
        connection = connect(path)
        try:
            _create_or_check(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _create_or_check(connection: sqlite3.Connection, path: Path) -> None:
    if not _tables(connection):
        connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection):
            if not _tables(connection):  # another process may have been faster
                for statement in filter(str.strip, TABLES.split(";")):
                    connection.execute(statement)
                meta = [("format", FORMAT), ("sequence", "0")]
                connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
    if "meta" not in _tables(connection):
        message = f"{path}: the file is a database of something else; name another file"
        raise StateError(message)
    found = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if found is None or found[0] != FORMAT:
        version = found[0] if found else "unknown"
        message = (
            f"{path}: the state file has format {version}, this version reads {FORMAT}; "
            f"run the version that wrote it, or {_ASIDE}"
        )
        raise StateError(message)


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
