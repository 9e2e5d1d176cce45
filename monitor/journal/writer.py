"""Writing to the state file: each record into its table, and the removal of what is too old."""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from monitor.journal.letters import MARK
from monitor.journal.records import RESTATED
from monitor.model.bucket import BucketColumns
from monitor.model.incident import Incident, IncidentState
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
_incidents = msgspec.json.Decoder(Incident)
_FIRST = -(2**63)
_AS_OF = "coalesce(json_extract(CAST({} AS TEXT), '$.as_of'), '')"

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

DOCUMENTS = {
    Stream.RELEASES: "releases",
    Stream.VERDICTS: "verdicts",
    Stream.DEAD_LETTERS: "dead_letters",
}
"""Tables of the streams that are kept as they come."""


class Writer:
    """The one connection that writes; its methods run inside a transaction of the caller.

    Args:
        connection: to the state file.
        retention_us: buckets that start longer than this before the newest one are removed.
        dead_letters: how many of the newest ones are kept.
    """

    def __init__(
        self, connection: sqlite3.Connection, *, retention_us: int, dead_letters: int
    ) -> None:
        self._connection = connection
        self._retention_us = retention_us
        self._dead_letters = dead_letters
        self._groups: dict[tuple[str, str], int] = {}
        self._newest_us = self._pruned_us = _FIRST
        self._commits = 0

    def put(self, records: Iterable[Record]) -> None:
        """Write records, in order."""
        for record in records:
            self._put(record)

    def rolled_back(self) -> None:
        """The transaction was undone: ids that it gave are void."""
        self._groups.clear()

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
            self._connection.execute(_PUT_RESTATED, (group, start_us, record.value))
        elif record.value is None:
            delete = "DELETE FROM buckets WHERE group_id = ? AND start_us = ?"
            self._connection.execute(delete, (group, start_us))
        else:
            values = (group, start_us, _is_partial(record.value), record.value)
            self._connection.execute(_PUT_BUCKET, values)

    def _group(self, metric: str, dimension: str) -> int:
        key = (metric, dimension)
        if key not in self._groups:
            self._connection.execute(
                "INSERT OR IGNORE INTO groups (metric, dimension) VALUES (?, ?)", key
            )
            query = "SELECT id FROM groups WHERE metric = ? AND dimension = ?"
            self._groups[key] = self._connection.execute(query, key).fetchone()[0]
        return self._groups[key]

    def _put_alert(self, record: Record) -> None:
        if record.value is None:
            self._connection.execute("DELETE FROM alerts WHERE alert_id = ?", (record.key,))
            return
        incident = _incidents.decode(record.value)
        query = "SELECT body FROM alerts WHERE alert_id = ?"
        known = self._connection.execute(query, (record.key,)).fetchone()
        if known and (
            known[0] == record.value or _is_repeat(incident, _incidents.decode(known[0]))
        ):
            return
        # Never given twice, not even after a deletion: readers remember how far they came.
        sequence = int(self._connection.execute(_NEXT_SEQUENCE).fetchone()[0])
        values = (record.key, incident.state.value, sequence, record.value)
        self._connection.execute(_PUT_ALERT, values)

    def _put_document(self, record: Record) -> None:
        table = DOCUMENTS[record.stream]
        if record.value is None:
            self._connection.execute(f"DELETE FROM {table} WHERE key = ?", (record.key,))  # noqa: S608
            return
        query = (
            f"INSERT INTO {table} (key, body) VALUES (?, ?) "  # noqa: S608
            "ON CONFLICT (key) DO UPDATE SET body = excluded.body"
        )
        if record.stream is Stream.DEAD_LETTERS and not record.value.startswith(MARK):
            # A source that goes on from its last save brings letters again; what was marked stays so.
            query += f" WHERE substr(body, 1, {len(MARK)}) <> x'{MARK.hex()}'"
        if record.stream is Stream.VERDICTS:
            # A core that goes on from its last save says again what it once knew.
            query += f" WHERE {_AS_OF.format('body')} <= {_AS_OF.format('excluded.body')}"
        self._connection.execute(query, (record.key, record.value))

    def put_positions(self, positions: Mapping[str, int]) -> None:
        """The next position to read, by source."""
        query = "INSERT OR REPLACE INTO positions VALUES (?, ?)"
        self._connection.executemany(query, positions.items())

    def put_snapshots(self, snapshots: Mapping[int | str, bytes]) -> None:
        """The state by shard; empty bytes delete it."""
        for shard, data in snapshots.items():
            self._connection.execute("DELETE FROM snapshots WHERE shard = ?", (str(shard),))
            if data:
                self._connection.execute("INSERT INTO snapshots VALUES (?, ?)", (str(shard), data))

    def prune_sometimes(self) -> None:
        """Remove what is too old, now and then."""
        self._commits += 1
        due = self._newest_us - PRUNE_EVERY_US > self._pruned_us
        if due or self._commits % PRUNE_COMMITS == 0:
            self._prune_buckets()
            keep = "SELECT id FROM dead_letters ORDER BY id DESC LIMIT 1 OFFSET ?"
            delete = f"DELETE FROM dead_letters WHERE id <= ({keep})"  # noqa: S608
            self._connection.execute(delete, (self._dead_letters,))

    def _prune_buckets(self) -> None:
        """Remove what is too old, by event time: history that is fed in is as young as it says."""
        oldest_us = max(self._newest_us - self._retention_us, _FIRST)
        for (group,) in self._connection.execute("SELECT id FROM groups").fetchall():
            delete = "DELETE FROM buckets WHERE group_id = ? AND start_us < ?"
            self._connection.execute(delete, (group, oldest_us))
        self._pruned_us = self._newest_us


def _is_partial(body: bytes) -> bool:
    # A segment may be called so too; only then is the body read.
    label = State.PARTIAL.label
    return f'"{label}"'.encode() in body and label in _buckets.decode(body).state


def _is_repeat(incident: Incident, known: Incident) -> bool:
    """Whether a restored core says again what the incident once was.

    Only the end of an incident is taken whenever it stands: a changed definition may end one at a
    snapshot that is older than its newest figures. The end before it fired again is none.
    """
    if incident.state is IncidentState.RESOLVED:
        fired = datetime.fromisoformat(known.detected_at)
        return datetime.fromisoformat(incident.detected_at) < fired
    then = datetime.fromisoformat(known.updated_at)
    return datetime.fromisoformat(incident.updated_at) < then
