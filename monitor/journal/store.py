"""The journal as one SQLite file: the writer, and the queries over what it keeps.

One process writes; any thread or process reads beside it. Everything that belongs together goes in
with one `commit`: records, the positions up to which the input was used, and snapshots.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from monitor.journal.records import RESTATED, WHOLE
from monitor.journal.schema import connect, guarded, prepare, transaction
from monitor.model.bucket import BucketColumns, RestatedColumns
from monitor.model.incident import Incident
from monitor.model.record import Record, Stream
from monitor.model.tick import State
from monitor.model.time import DAY, HOUR, from_datetime

RETENTION_US = 35 * DAY
"""How long buckets are kept, as in the Kafka topic of the same name (DESIGN.md, the journal)."""

DEAD_LETTERS = 10_000
"""How many of the newest dead letters the file keeps; all of them are counted, or in their topic."""

PRUNE_EVERY_US = 6 * HOUR
"""How far event time advances between two prunings."""

PRUNE_COMMITS = 1_000
"""A pruning comes after so many commits too: dead letters do not advance event time."""

_buckets = msgspec.json.Decoder(BucketColumns)
_restated = msgspec.json.Decoder(RestatedColumns)
_incidents = msgspec.json.Decoder(Incident)

_PUT_BUCKET = """
INSERT INTO buckets (group_id, start_us, partial, body) VALUES (?, ?, ?, ?)
ON CONFLICT (group_id, start_us) DO UPDATE SET partial = excluded.partial, body = excluded.body
"""
_PUT_RESTATED = """
INSERT INTO buckets (group_id, start_us, restated) VALUES (?, ?, ?)
ON CONFLICT (group_id, start_us) DO UPDATE SET restated = excluded.restated
"""
_PUT_ALERT = """
INSERT INTO alerts (alert_id, state, sequence, body)
VALUES (?, ?, ?, ?)
ON CONFLICT (alert_id) DO UPDATE
SET state = excluded.state, sequence = excluded.sequence, body = excluded.body
"""
_NEXT_SEQUENCE = """
UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'sequence' RETURNING value
"""
_LATEST = """
SELECT body, restated FROM groups JOIN buckets ON buckets.id = (
    SELECT id FROM buckets
    WHERE group_id = groups.id AND partial = 0 AND body IS NOT NULL
    ORDER BY start_us DESC LIMIT 1
) ORDER BY metric, dimension <> ?, dimension
"""
_RANGE = """
SELECT body, restated FROM groups JOIN buckets ON group_id = groups.id
WHERE metric = ? AND dimension = ? AND start_us >= ? AND start_us < ? AND body IS NOT NULL
ORDER BY start_us
"""
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
        self._retention_us = retention_us
        self._dead_letters = dead_letters
        self._writer = prepare(self.path)
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._groups: dict[tuple[str, str], int] = {}
        self._newest_us = self._pruned_us = _FIRST
        self._commits = 0

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
            self._writer.close()
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
                with transaction(self._writer):
                    for record in records:
                        self._put(record)
                    self._put_positions(positions or {})
                    self._put_snapshots(snapshots or {})
                    self._prune_sometimes()
            except BaseException:
                self._groups.clear()  # ids given in this transaction are void
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

    def alert(self, alert_id: str) -> Incident | None:
        """One incident, if it is known."""
        rows = self._read("SELECT body FROM alerts WHERE alert_id = ?", (alert_id,))
        return _incidents.decode(rows[0][0]) if rows else None

    def latest_buckets(self) -> list[BucketColumns]:
        """The newest bucket, not a partial one, of each metric and dimension; wholes first."""
        return [_merged(*row) for row in self._read(_LATEST, (WHOLE,))]

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
        query = f"SELECT key, body FROM {_DOCUMENTS[stream]} ORDER BY rowid"  # noqa: S608
        return dict(self._read(query))

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

    def _put(self, record: Record) -> None:
        if record.stream is Stream.BUCKETS:
            self._put_bucket(record)
        elif record.stream is Stream.ALERTS:
            self._put_alert(record)
        else:
            self._put_document(record)

    def _put_bucket(self, record: Record) -> None:
        metric, dimension, start, *restated = record.key.split("|")
        start_us = from_datetime(datetime.fromisoformat(start))
        group = self._group(metric, dimension)
        self._newest_us = max(self._newest_us, start_us)
        if restated == [RESTATED]:
            self._writer.execute(_PUT_RESTATED, (group, start_us, record.value))
        elif record.value is None:
            delete = "DELETE FROM buckets WHERE group_id = ? AND start_us = ?"
            self._writer.execute(delete, (group, start_us))
        else:
            values = (group, start_us, _is_partial(record.value), record.value)
            self._writer.execute(_PUT_BUCKET, values)

    def _group(self, metric: str, dimension: str) -> int:
        key = (metric, dimension)
        if key not in self._groups:
            self._writer.execute(
                "INSERT OR IGNORE INTO groups (metric, dimension) VALUES (?, ?)", key
            )
            query = "SELECT id FROM groups WHERE metric = ? AND dimension = ?"
            self._groups[key] = self._writer.execute(query, key).fetchone()[0]
        return self._groups[key]

    def _put_alert(self, record: Record) -> None:
        if record.value is None:
            self._writer.execute("DELETE FROM alerts WHERE alert_id = ?", (record.key,))
            return
        state = _incidents.decode(record.value).state.value
        # Never given twice, not even after a deletion: readers remember how far they came.
        sequence = int(self._writer.execute(_NEXT_SEQUENCE).fetchone()[0])
        self._writer.execute(_PUT_ALERT, (record.key, state, sequence, record.value))

    def _put_document(self, record: Record) -> None:
        table = _DOCUMENTS[record.stream]
        if record.value is None:
            self._writer.execute(f"DELETE FROM {table} WHERE key = ?", (record.key,))  # noqa: S608
            return
        query = (
            f"INSERT INTO {table} (key, body) VALUES (?, ?) "  # noqa: S608
            "ON CONFLICT (key) DO UPDATE SET body = excluded.body"
        )
        self._writer.execute(query, (record.key, record.value))

    def _put_positions(self, positions: Mapping[str, int]) -> None:
        query = "INSERT OR REPLACE INTO positions VALUES (?, ?)"
        self._writer.executemany(query, positions.items())

    def _put_snapshots(self, snapshots: Mapping[int | str, bytes]) -> None:
        for shard, data in snapshots.items():
            self._writer.execute("DELETE FROM snapshots WHERE shard = ?", (str(shard),))
            if data:
                self._writer.execute("INSERT INTO snapshots VALUES (?, ?)", (str(shard), data))

    def _prune_sometimes(self) -> None:
        self._commits += 1
        due = self._newest_us - PRUNE_EVERY_US > self._pruned_us
        if due or self._commits % PRUNE_COMMITS == 0:
            self._prune_buckets()
            keep = "SELECT id FROM dead_letters ORDER BY id DESC LIMIT 1 OFFSET ?"
            delete = f"DELETE FROM dead_letters WHERE id <= ({keep})"  # noqa: S608
            self._writer.execute(delete, (self._dead_letters,))

    def _prune_buckets(self) -> None:
        """Remove what is too old, by event time: history that is fed in is as young as it says."""
        oldest_us = max(self._newest_us - self._retention_us, _FIRST)
        for (group,) in self._writer.execute("SELECT id FROM groups").fetchall():
            delete = "DELETE FROM buckets WHERE group_id = ? AND start_us < ?"
            self._writer.execute(delete, (group, oldest_us))
        self._pruned_us = self._newest_us


_DOCUMENTS = {
    Stream.RELEASES: "releases",
    Stream.VERDICTS: "verdicts",
    Stream.DEAD_LETTERS: "dead_letters",
}


def _is_partial(body: bytes) -> bool:
    # A segment may be called so too; only then is the body read.
    label = State.PARTIAL.label
    return f'"{label}"'.encode() in body and label in _buckets.decode(body).state


def _merged(body: bytes, restated: bytes | None) -> BucketColumns:
    columns = _buckets.decode(body)
    return columns if restated is None else _restated.decode(restated).over(columns)
