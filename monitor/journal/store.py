"""The journal as one SQLite file: the writer, and the queries over what it keeps.

One process writes; any thread or process reads beside it. Everything that belongs together goes in
with one `commit`: records, the positions up to which the input was used, and snapshots.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from monitor.journal.records import WHOLE
from monitor.journal.schema import connect, guarded, prepare, transaction
from monitor.journal.writer import DEAD_LETTERS, DOCUMENTS, RETENTION_US, Writer
from monitor.model.bucket import BucketColumns, RestatedColumns
from monitor.model.incident import Incident
from monitor.model.record import Record, Stream

_buckets = msgspec.json.Decoder(BucketColumns)
_restated = msgspec.json.Decoder(RestatedColumns)
_incidents = msgspec.json.Decoder(Incident)

_LATEST = """
SELECT body, restated FROM groups JOIN buckets ON buckets.id = (
    SELECT id FROM buckets
    WHERE group_id = groups.id AND partial = 0 AND body IS NOT NULL
    ORDER BY start_us DESC LIMIT 1
) ORDER BY metric, dimension <> ?, dimension
"""
_NEWEST = """
SELECT metric, (
    SELECT start_us FROM buckets
    WHERE group_id = groups.id AND partial = 0 AND body IS NOT NULL
    ORDER BY start_us DESC LIMIT 1
) FROM groups WHERE dimension = ?
"""
_RANGE = """
SELECT body, restated FROM groups JOIN buckets ON group_id = groups.id
WHERE metric = ? AND dimension = ? AND start_us >= ? AND start_us < ? AND body IS NOT NULL
ORDER BY start_us
"""
_AFTER = chr(0x10FFFF)
"""Sorts after whatever a key goes on with."""
_FIRST, _LAST = -(2**63), 2**63 - 1


class Store:
    """A state file, made where it does not exist.

    Args:
        path: the SQLite file.
        retention_us: buckets that start longer than this before the newest one are removed.
        dead_letters: how many of the newest ones are kept.

    Raises:
        StateError: by every method, with the path, the reason and the remedy.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        retention_us: int = RETENTION_US,
        dead_letters: int = DEAD_LETTERS,
    ) -> None:
        self.path = Path(path)
        self._connection = prepare(self.path)
        self._writer = Writer(
            self._connection, retention_us=retention_us, dead_letters=dead_letters
        )
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()
            while self._idle:
                self._idle.pop().close()

    def commit(
        self,
        records: Iterable[Record],
        *,
        positions: Mapping[str, int] | None = None,
        snapshots: Mapping[int | str, bytes] | None = None,
    ) -> None:
        """Keep all of it, or nothing.

        Args:
            records: in order; one without a value deletes its key.
            positions: next position to read, by source or topic and partition.
            snapshots: a shard's state, in place of the one before; empty bytes delete it.
        """
        with self._lock, guarded(self.path):
            try:
                with transaction(self._connection):
                    self._writer.put(records)
                    self._writer.put_positions(positions or {})
                    self._writer.put_snapshots(snapshots or {})
                    self._writer.prune_sometimes()
            except BaseException:
                self._writer.rolled_back()
                raise

    def alerts(self, state: str | None = None) -> list[Incident]:
        """The newest state of every incident, or of those in that state; newest change first."""
        where, values = ("WHERE state = ?", (state,)) if state is not None else ("", ())
        query = f"SELECT body FROM alerts {where} ORDER BY sequence DESC"  # noqa: S608
        return [_incidents.decode(body) for (body,) in self._read(query, values)]

    def alerts_after(self, sequence: int) -> tuple[list[Incident], int]:
        """Incidents that changed after that point, oldest change first, and the point reached."""
        query = "SELECT body, sequence FROM alerts WHERE sequence > ? ORDER BY sequence"
        rows = self._read(query, (sequence,))
        return [_incidents.decode(body) for body, _ in rows], rows[-1][1] if rows else sequence

    def told(self) -> int | None:
        """The point of `alerts_after` up to which Alertmanager was told of all; None where never."""
        rows = self._read("SELECT value FROM meta WHERE key = 'told'")
        return int(rows[0][0]) if rows else None

    def set_told(self, sequence: int) -> None:
        """Remember that point."""
        with self._lock, guarded(self.path), transaction(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('told', ?)", (str(sequence),)
            )

    def alert(self, alert_id: str) -> Incident | None:
        """One incident, if it is known."""
        rows = self._read("SELECT body FROM alerts WHERE alert_id = ?", (alert_id,))
        return _incidents.decode(rows[0][0]) if rows else None

    def latest_buckets(self) -> list[BucketColumns]:
        """The newest bucket, not a partial one, of each metric and dimension; wholes first."""
        return [_merged(*row) for row in self._read(_LATEST, (WHOLE,))]

    def newest_starts(self) -> dict[str, int]:
        """When the newest bucket of each metric's whole began, not a partial one; microseconds."""
        found = self._read(_NEWEST, (WHOLE,))
        return {metric: start_us for metric, start_us in found if start_us is not None}

    def columns(
        self,
        metric: str,
        dimension: str = WHOLE,
        *,
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> list[BucketColumns]:
        """The buckets that start in [since, until), oldest first, all segments of each."""
        since = _FIRST if since_us is None else since_us
        until = _LAST if until_us is None else until_us
        return [_merged(*row) for row in self._read(_RANGE, (metric, dimension, since, until))]

    def buckets(
        self,
        metric: str,
        dimension: str = WHOLE,
        segment: str | None = WHOLE,
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Rows as in `buckets.ndjson`, last revision each; of every segment where it is None."""
        for columns in self.columns(metric, dimension, since_us=since_us, until_us=until_us):
            yield from columns.lines(segment)

    def recent(self, metric: str, dimension: str = WHOLE, *, count: int) -> list[BucketColumns]:
        """The newest buckets, at most so many, oldest first."""
        query = _RANGE.replace("ORDER BY start_us", "ORDER BY start_us DESC LIMIT ?")
        rows = self._read(query, (metric, dimension, _FIRST, _LAST, count))
        return [_merged(*row) for row in reversed(rows)]

    def documents(self, stream: Stream) -> dict[str, bytes]:
        """The JSON of every key of `releases`, `verdicts` or `dead_letters`, oldest key first."""
        query = f"SELECT key, body FROM {DOCUMENTS[stream]} ORDER BY rowid"  # noqa: S608
        return dict(self._read(query))

    def document(self, stream: Stream, key: str) -> bytes | None:
        """The JSON of one key of these streams, if there is one."""
        rows = self._read(f"SELECT body FROM {DOCUMENTS[stream]} WHERE key = ?", (key,))  # noqa: S608
        return bytes(rows[0][0]) if rows else None

    def documents_from(self, stream: Stream, prefix: str) -> dict[str, bytes]:
        """The JSON of the keys of these streams that begin so, oldest key first."""
        query = (
            f"SELECT key, body FROM {DOCUMENTS[stream]} "  # noqa: S608
            "WHERE key >= ? AND key < ? ORDER BY rowid"
        )
        return dict(self._read(query, (prefix, prefix + _AFTER)))

    def each(self, stream: Stream) -> Iterator[tuple[str, bytes]]:
        """Like `documents`, one after the other: however many there are, one is held."""
        with guarded(self.path), self._reader() as connection:
            query = f"SELECT key, body FROM {DOCUMENTS[stream]} ORDER BY rowid"  # noqa: S608
            yield from connection.execute(query)

    def positions(self) -> dict[str, int]:
        """The next position to read, by source or topic and partition."""
        return dict(self._read("SELECT source, position FROM positions"))

    def snapshot(self, shard: int | str) -> bytes | None:
        """The state of a shard, if one was kept."""
        rows = self._read("SELECT data FROM snapshots WHERE shard = ?", (str(shard),))
        return bytes(rows[0][0]) if rows else None

    def _read(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with guarded(self.path), self._reader() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A connection that no other thread has now."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect(self.path)
        try:
            yield connection
        finally:
            self._idle.append(connection)


def _merged(body: bytes, restated: bytes | None) -> BucketColumns:
    columns = _buckets.decode(body)
    return columns if restated is None else _restated.decode(restated).over(columns)
