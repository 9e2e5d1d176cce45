"""Releases, and what shards said of them, in the state file."""

from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from monitor.export.releases import MOST, ReleaseCollector
from monitor.journal.releases import (
    kept_release,
    kept_releases,
    kept_verdict,
    release_record,
)
from monitor.journal.store import Store
from monitor.model.record import Record, Stream
from monitor.model.time import HOUR, SECOND
from tests.release.test_verdict import ORDERS, said, series
from tests.release.told import T0, release, started


def test_releases_come_back_in_the_order_of_their_starts(tmp_path: Path) -> None:
    later, first = release("2", T0 + HOUR), started("1", T0)
    note = Record(stream=Stream.RELEASES, key="annotation|1", value=b"{}")
    with Store(tmp_path / "s.db") as store:
        store.commit([release_record(later), note, release_record(first)])
        assert kept_releases(store) == [first, later]
        assert kept_release(store, first.id) == first
        assert kept_release(store, "none") is None


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_what_a_restored_core_says_again_does_not_undo_what_is_known(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    told = release()
    with Store(tmp_path / "s.db") as store:
        for hour in order:
            one = said(ORDERS, series(down=9.0 if hour == 2 else 0.0))
            one = msgspec.structs.replace(one, as_of=f"2026-01-01T0{hour}:00:00Z")
            key = f"{told.id}|orders"
            store.commit([Record(stream=Stream.VERDICTS, key=key, value=msgspec.json.encode(one))])
        found = kept_verdict(store, told, [ORDERS], known=[told])
        assert (found.verdict, found.as_of) == ("regressed", "2026-01-01T02:00:00Z")


def test_the_newest_releases_are_exported_with_the_time_of_their_effect() -> None:
    many = [release(str(i), T0 + i * HOUR) for i in range(MOST + 5)]
    registry = CollectorRegistry()
    registry.register(ReleaseCollector(lambda: many))
    family = next(iter(registry.collect()))
    assert len(family.samples) == MOST
    last = family.samples[-1]
    assert last.name == "monitor_release_timestamp_seconds"
    assert last.labels == {"service": "shop", "environment": "prod", "version": str(MOST + 4)}
    assert last.value == many[-1].begin_us / SECOND
