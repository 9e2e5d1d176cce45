"""The flow in one process: a state file from which it goes on as if nothing had happened."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.clock import wall_clock
from monitor.definitions import compile_plan
from monitor.embedded import feeds
from monitor.embedded.engine import Engine
from monitor.embedded.feeds import FilesFeed, source_of
from monitor.embedded.state_file import StoreKeeper, held
from monitor.errors import StateError
from monitor.ingest import archives
from monitor.ingest.files import open_files
from monitor.journal.releases import kept_releases, release_record
from monitor.journal.store import Store
from monitor.model.record import Stream
from monitor.model.time import MINUTE, SECOND, to_rfc3339
from monitor.telemetry import Counters
from tests.embedded import history
from tests.release.told import release
from tests.system import shop

DAYS_END = history.START + 2 * shop.DAY


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two files that overlap in time; the fall is in both."""
    folder = tmp_path_factory.mktemp("history")
    lines = [*history.calm(), *history.fallen()]
    return [
        history.write(folder / "even.ndjson", lines[::2]),
        history.write(folder / "odd.ndjson", lines[1::2]),
    ]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two of them, in two files, for what does not ask what was learnt."""
    folder = tmp_path_factory.mktemp("days")
    lines = history.calm(history.START, DAYS_END)
    return [
        history.write(folder / "even.ndjson", lines[::2]),
        history.write(folder / "odd.ndjson", lines[1::2]),
    ]


@pytest.fixture(scope="module", autouse=True)
def small_chunks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeds, "CHUNK_LINES", 2_000)
        patch.setattr(archives, "BLOCK", 1 << 16)
        yield


def engine_on(store: Store, folder: Path, files: Sequence[Path]) -> tuple[Engine, FilesFeed]:
    names = ", ".join(f'"{path}"' for path in files)
    _, configuration = history.configured(folder, f"{{files: [{names}]}}")
    plan = compile_plan(configuration)
    counters = Counters(CollectorRegistry())
    engine, feed = source_of(
        configuration, plan, StoreKeeper(store), clock=wall_clock, counters=counters
    )
    assert isinstance(feed, FilesFeed)
    return engine, feed


def drain(feed: FilesFeed) -> int:
    steps = 0
    while feed.step() is not None:
        steps += 1
    return steps


Everything = tuple[list[dict[str, object]], list[tuple[str, str, str]]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, files: list[Path]) -> Everything:
    """What is kept of both files where nothing happens."""
    folder = tmp_path_factory.mktemp("whole")
    with Store(folder / "whole.db") as store:
        engine, feed = engine_on(store, folder, files)
        drain(feed)
        engine.save()
        return history.everything(store)


@pytest.mark.slow
def test_a_process_that_dies_goes_on_from_its_last_save(
    tmp_path: Path, files: list[Path], whole: Everything
) -> None:
    assert [state for _, state, _ in whole[1]] == ["firing"]
    with Store(tmp_path / "cut.db") as store:
        engine, feed = engine_on(store, tmp_path / "b", files)
        for _ in range(3):
            feed.step()
        engine.save()
        feed.step()  # what it decided is kept, where it stood is not
        feed.close()
        engine, feed = engine_on(store, tmp_path / "b", files)
        assert engine.state(str(files[0])).position > 1
        assert not engine.state(str(files[0])).ended
        drain(feed)
        assert history.everything(store) == whole


@pytest.mark.slow
def test_a_disk_that_was_full_costs_a_restart_and_nothing_else(
    tmp_path: Path, files: list[Path], whole: Everything
) -> None:
    with Store(tmp_path / "full.db") as store:
        engine, feed = engine_on(store, tmp_path / "b", files)
        feed.step()
        engine.save()
        [(pages,)] = store._connection.execute("PRAGMA page_count")
        store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StateError, match="the disk is full; free space and start again"):
            drain(feed)
        feed.close()
        store._connection.execute("PRAGMA max_page_count = 1000000")
        engine, feed = engine_on(store, tmp_path / "b", files)
        drain(feed)
        assert history.everything(store) == whole


def test_what_has_ended_is_not_read_again(tmp_path: Path, days: list[Path]) -> None:
    with Store(tmp_path / "state.db") as store:
        engine, feed = engine_on(store, tmp_path, days)
        assert drain(feed) > 0
        engine.save()
        engine, feed = engine_on(store, tmp_path, days)
        assert drain(feed) == 0
        assert engine.counts["read"] == 0


def test_a_file_that_comes_later_restates_what_has_closed(tmp_path: Path, days: list[Path]) -> None:
    with Store(tmp_path / "state.db") as store:
        engine, feed = engine_on(store, tmp_path, days[:1])
        drain(feed)
        engine.save()
        before, _ = history.everything(store)
        newest = before[-1]
        hour = history.fallen(DAYS_END - 1800, DAYS_END + 1800)
        more = history.write(tmp_path / "more.ndjson", hour)
        engine, feed = engine_on(store, tmp_path, [days[0], more])
        drain(feed)
        after, _ = history.everything(store)
    changed = [row for row in after if row["revision"]]
    assert changed
    assert all(str(row["start"]) <= str(newest["start"]) for row in changed)


def test_a_file_that_is_not_named_any_more_holds_nothing_back(
    tmp_path: Path, days: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "CHUNK_LINES", 200)
    with Store(tmp_path / "state.db") as store:
        engine, feed = engine_on(store, tmp_path, days)
        for _ in range(3):
            feed.step()
        engine.save()
        feed.close()
        engine, feed = engine_on(store, tmp_path, days[:1])  # the other one was rotated away
        drain(feed)
        engine.save()
        buckets, _ = history.everything(store)
        assert buckets[-1]["end"] == to_rfc3339(DAYS_END * SECOND - 15 * MINUTE)
        read = engine.state(str(days[1])).position - 1
        engine, feed = engine_on(store, tmp_path, days)  # and is back: its rest is read
        drain(feed)
    assert read > 0
    assert engine.counts["read"] == len(days[1].read_bytes().splitlines()) - read


def test_one_process_at_a_time_has_the_state_file(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with held(path), pytest.raises(StateError, match="another process uses"), held(path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"journal\.sqlite"), held(tmp_path / "file" / "x.db"):
        pass


def test_files_that_were_opened_are_read_by_lowest_watermark(
    tmp_path: Path, files: list[Path]
) -> None:
    with Store(tmp_path / "state.db") as store:
        _, configuration = history.configured(tmp_path, f'{{files: ["{files[0]}"]}}')
        engine = Engine(
            StoreKeeper(store),
            compile_plan(configuration),
            fields=None,
            sources=[str(path) for path in files],
            clock=wall_clock,
            counters=Counters(CollectorRegistry()),
        )
        feed = FilesFeed(engine, open_files([str(path) for path in files]))
        feed.step()
        feed.step()
        marks = [engine.watermark_us(str(path)) for path in files]
        feed.close()
    assert min(marks) > history.START * 1_000_000  # each has had its turn


def test_a_release_that_was_kept_and_not_saved_is_told_again_without_harm(
    tmp_path: Path, days: list[Path]
) -> None:
    told = release("1", history.START * SECOND + 3 * MINUTE)
    with Store(tmp_path / "state.db") as store:
        engine, feed = engine_on(store, tmp_path, days)
        feed.step()
        store.commit([release_record(told)])
        engine.tell([told])
        feed.close()
        engine, feed = engine_on(store, tmp_path, days)
        assert engine.machines[0].releases == (), "it died before a save"
        engine.tell(kept_releases(store))
        assert engine.tell([told]) == []
        drain(feed)
        verdicts = store.documents(Stream.VERDICTS)
        assert verdicts
        assert all(key.startswith(told.id) for key in verdicts)
