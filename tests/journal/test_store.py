import sqlite3
import threading
from pathlib import Path

import pytest

from monitor.core.effects import IncidentFaded
from monitor.errors import StateError
from monitor.journal import schema
from monitor.journal.records import records
from monitor.journal.store import Store
from monitor.model.incident import IncidentState
from monitor.model.record import Record, Stream
from monitor.model.tick import State
from monitor.model.time import DAY, HOUR, MINUTE
from tests.journal.examples import T0, bucket_lines, changed, closed, incident, resolved, restated


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "monitor.db"


def test_what_was_committed_is_there_after_opening_again(path: Path) -> None:
    with Store(path) as store:
        made = records(closed()) + records(changed(incident()))
        store.commit(made, positions={"events|0": 12}, snapshots={0: b"state", "ingest": b"s"})
    with Store(path) as store:
        assert list(store.buckets("errors", "country", None)) == [
            line for line in bucket_lines(closed()) if line["dimension"] == "country"
        ]
        assert store.alerts() == [incident()]
        assert store.alert("a1") == incident()
        assert store.alert("a2") is None
        assert store.positions() == {"events|0": 12}
        assert (store.snapshot(0), store.snapshot("ingest")) == (b"state", b"s")
        assert store.snapshot(1) is None


def test_a_commit_that_fails_keeps_nothing(path: Path) -> None:
    with Store(path) as store:
        bad = Record(stream=Stream.BUCKETS, key="errors|all|not a time", value=b"{}")
        with pytest.raises(ValueError, match="not a time"):
            store.commit([*records(closed()), bad], positions={"0": 1}, snapshots={0: b"x"})
        assert store.latest_buckets() == []
        assert (store.positions(), store.snapshot(0)) == ({}, None)
        store.commit(records(closed()))  # the ids of the groups were not kept from the failure
        assert len(store.latest_buckets()) == 3


def test_a_restatement_replaces_the_columns_that_it_has(path: Path) -> None:
    with Store(path) as store:
        store.commit(records(closed()) + records(restated(revision=1)))
        store.commit(records(restated(revision=2, numerator=60)))
        (whole,) = store.buckets("errors")
        assert (whole["value"], whole["n"], whole["revision"]) == (0.5, 120, 2)
        assert whole["measures"] == {"numerator": 60, "denominator": 120}
        assert (whole["expected"], whole["state"]) == (0.125, "alerting")
        german, american, french = store.buckets("errors", "country", None)
        assert (german["revision"], german["value"]) == (0, 0.4)
        assert american["state"] == "learning"
        assert (french["segment"], french["n"], french["revision"]) == ("FR", 20, 2)
        assert french["expected"] is None


def test_a_body_that_comes_again_keeps_its_restatement(path: Path) -> None:
    """A restored core emits its effects again; until it comes to the restatement, that one holds."""
    with Store(path) as store:
        store.commit(records(restated()))
        assert list(store.buckets("errors")) == []
        store.commit(records(closed()))
        store.commit(records(closed()))
        (whole,) = store.buckets("errors")
        assert whole["revision"] == 1


def test_buckets_are_cut_by_their_start(path: Path) -> None:
    with Store(path) as store:
        for minute in (3, 1, 2, 0):
            store.commit(records(closed(T0 + minute * MINUTE)))
        starts = [x["start"] for x in store.buckets("orders")]
        assert starts == [f"2026-11-21T10:0{minute}:00Z" for minute in range(4)]
        cut = store.buckets("orders", since_us=T0 + MINUTE, until_us=T0 + 3 * MINUTE)
        assert [x["start"] for x in cut] == starts[1:3]
        assert [c.start for c in store.recent("orders", count=2)] == starts[2:]
        assert list(store.buckets("orders", "country")) == []
        assert [x["segment"] for x in store.buckets("errors", "country", "DE")] == ["DE"] * 4


def test_the_latest_bucket_is_the_newest_that_is_whole(path: Path) -> None:
    with Store(path) as store:
        store.commit(records(closed(T0)) + records(closed(T0 - MINUTE)))
        state = closed().state.copy()
        state[:] = State.PARTIAL
        store.commit(records(closed(T0 + MINUTE, state=state)))
        latest = store.latest_buckets()
        assert [(c.metric, c.dimension) for c in latest] == [
            ("errors", "all"),
            ("errors", "country"),
            ("orders", "all"),
        ]
        assert {c.start for c in latest} == {"2026-11-21T10:00:00Z"}
        store.commit(records(closed(T0 + MINUTE)))
        assert {c.start for c in store.latest_buckets()} == {"2026-11-21T10:01:00Z"}


def test_alerts_by_state_and_in_the_order_of_their_changes(path: Path) -> None:
    with Store(path) as store:
        store.commit([*records(changed(incident("a1"))), *records(changed(incident("a2")))])
        store.commit(records(changed(resolved("a1"))))
        assert [a.alert_id for a in store.alerts()] == ["a1", "a2"]
        assert [a.alert_id for a in store.alerts("firing")] == ["a2"]
        assert store.alerts(state=IncidentState.RESOLVED) == [resolved("a1")]


def test_a_reader_of_changes_misses_none_even_after_a_deletion(path: Path) -> None:
    with Store(path) as store:
        store.commit(records(changed(incident("a1", state=IncidentState.PENDING))))
        seen, reached = store.alerts_after(0)
        assert [a.alert_id for a in seen] == ["a1"]
        store.commit(records(IncidentFaded(alert_id="a1")))
        store.commit(records(changed(incident("a2"))))
        seen, further = store.alerts_after(reached)
        assert [a.alert_id for a in seen] == ["a2"]
        assert store.alerts_after(further) == ([], further)


def test_a_core_that_says_its_past_again_does_not_reopen_an_incident(path: Path) -> None:
    life = [
        incident(state=IncidentState.PENDING, updated_at="2026-11-21T10:03:00Z"),
        incident(),
        resolved(),
    ]
    with Store(path) as store:
        for state in life:
            store.commit(records(changed(state)))
        _, reached = store.alerts_after(0)
        for state in life:
            store.commit(records(changed(state)))
            assert store.alert("a1") == resolved()
        assert store.alerts_after(reached) == ([], reached)


def test_the_end_of_an_incident_is_taken_even_from_an_older_state(path: Path) -> None:
    with Store(path) as store:
        store.commit(records(changed(incident(updated_at="2026-11-21T10:30:00Z"))))
        store.commit(records(changed(resolved())))
        assert store.alert("a1") == resolved()


def test_an_incident_that_fired_again_is_not_ended_by_its_end_before(path: Path) -> None:
    again = {"detected_at": "2026-11-21T11:30:00Z", "updated_at": "2026-11-21T11:30:00Z"}
    life = [incident(), resolved(), incident(**again)]
    with Store(path) as store:
        for state in life:
            store.commit(records(changed(state)))
            assert store.alert("a1") == state
        for state in life:
            store.commit(records(changed(state)))
            assert store.alert("a1") == life[-1]


def test_up_to_where_alertmanager_was_told_outlives_the_process(path: Path) -> None:
    with Store(path) as store:
        assert store.told() is None
        store.set_told(7)
        store.set_told(8)
    with Store(path) as store:
        assert store.told() == 8


def test_a_record_without_a_value_deletes_its_key(path: Path) -> None:
    with Store(path) as store:
        made = records(closed()) + records(changed(incident()))
        made.append(Record(stream=Stream.RELEASES, key="r1", value=b'{"id":1}'))
        store.commit(made)
        assert store.documents(Stream.RELEASES) == {"r1": b'{"id":1}'}
        store.commit([Record(stream=r.stream, key=r.key, value=None) for r in made])
        assert (store.latest_buckets(), store.alerts()) == ([], [])
        assert store.documents(Stream.RELEASES) == {}


def test_old_buckets_go_by_event_time(path: Path) -> None:
    with Store(path, retention_us=DAY) as store:
        store.commit(records(closed(T0)))
        store.commit(records(closed(T0 + 20 * HOUR)))
        store.commit(records(closed(T0 + 25 * HOUR)))
        store.commit(records(closed(T0 + 27 * HOUR)))
        assert [x["start"] for x in store.buckets("orders")] == [
            "2026-11-22T06:00:00Z",
            "2026-11-22T11:00:00Z",
            "2026-11-22T13:00:00Z",
        ]


def test_only_the_newest_dead_letters_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.journal.writer.PRUNE_COMMITS", 2)
    with Store(path, dead_letters=3) as store:
        for i in range(6):
            letter = Record(stream=Stream.DEAD_LETTERS, key=f"0|{i}", value=b"{}")
            store.commit([letter])
        assert list(store.documents(Stream.DEAD_LETTERS)) == ["0|3", "0|4", "0|5"]


def test_a_snapshot_of_no_bytes_deletes_it(path: Path) -> None:
    with Store(path) as store:
        store.commit([], snapshots={0: b"one"})
        store.commit([], snapshots={0: b"two"})
        assert store.snapshot(0) == b"two"
        store.commit([], snapshots={0: b""})
        assert store.snapshot(0) is None


def test_readers_in_threads_and_of_another_store_see_whole_commits(path: Path) -> None:
    """Every commit writes three groups; no reader ever sees one or two of a new minute."""
    seen: list[set[str]] = []
    done = threading.Event()
    with Store(path) as store, Store(path) as other:
        store.commit(records(closed(T0)))

        def read(source: Store) -> None:
            while not done.is_set():
                seen.append({c.start for c in source.latest_buckets()})

        threads = [threading.Thread(target=read, args=(s,)) for s in (store, store, other)]
        for thread in threads:
            thread.start()
        for minute in range(1, 50):
            store.commit(records(closed(T0 + minute * MINUTE)))
        done.set()
        for thread in threads:
            thread.join()
    assert seen
    assert all(len(starts) == 1 for starts in seen)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hello, I am no database at all. " * 100, "not a database of the monitor"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "monitor.db: the state file"),
    ],
)
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes, told: str) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StateError, match=told) as error:
        Store(path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == content


def test_a_damaged_file_names_the_remedy(path: Path) -> None:
    with Store(path) as store:
        for minute in range(200):
            store.commit(records(closed(T0 + minute * MINUTE)))
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    with Store(path) as store, pytest.raises(StateError, match="damaged; move it away"):
        list(store.buckets("orders"))


def test_a_database_of_something_else_is_refused(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE users (name TEXT)")
    connection.close()
    with pytest.raises(StateError, match=r"monitor\.db.*database of something else"):
        Store(path)


def test_another_format_version_is_refused_with_the_remedy(path: Path) -> None:
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    connection.commit()
    connection.close()
    with pytest.raises(StateError, match=r"format 99, this version reads 1; run the version"):
        Store(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is a folder; name a file"):
        Store(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"its folder cannot be made"):
        Store(tmp_path / "file" / "monitor.db")


def test_a_file_that_another_process_holds_is_locked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    with Store(path) as store:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="locked by another process; stop that one"):
            store.commit(records(closed()))
        holder.execute("ROLLBACK")
        holder.close()
        store.commit(records(closed()))
        assert len(store.latest_buckets()) == 3


def test_a_full_disk_is_told_and_nothing_is_half_written(path: Path) -> None:
    with Store(path) as store:
        store.commit(records(closed()), positions={"0": 1})
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StateError, match="the disk is full; free space"):
            store.commit([], positions={"0": 2}, snapshots={0: b"x" * 1_000_000})
        store._connection.execute("PRAGMA max_page_count = 100000")
        assert store.positions() == {"0": 1}
        store.commit([], positions={"0": 2}, snapshots={0: b"x" * 1_000_000})
        assert store.positions() == {"0": 2}
