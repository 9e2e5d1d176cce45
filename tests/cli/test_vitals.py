import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.cli import vitals
from monitor.model.time import SECOND
from monitor.telemetry import Counters

NAMES = ("monitor_role_resident_bytes", "monitor_role_open_files", "monitor_role_tasks")


def values(registry: CollectorRegistry) -> list[float | None]:
    return [registry.get_sample_value(name, {"role": "core"}) for name in NAMES]


def proc(folder: Path, pages: int, files: int) -> Path:
    (folder / "fd").mkdir()
    for number in range(files):
        (folder / "fd" / str(number)).touch()
    (folder / "statm").write_text(f"900 {pages} 30 1 0 500 0\n")
    return folder


def test_memory_files_and_tasks_are_told_by_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 4096}.__getitem__)
    registry = CollectorRegistry()
    vitals.observe("core", Counters(registry), tasks=7, proc=proc(tmp_path, pages=10, files=3))
    assert values(registry) == [40_960, 3, 7]


def test_a_system_that_does_not_tell_still_gets_the_tasks(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    vitals.observe("core", Counters(registry), tasks=7, proc=tmp_path / "absent")
    assert values(registry) == [None, None, 7]


async def test_they_are_kept_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr(vitals, "EVERY_SECONDS", 0.001)
    monkeypatch.setattr(vitals, "_GIVE_BACK_BEATS", 2)
    monkeypatch.setattr(vitals, "give_back", lambda: given.append(True))
    registry = CollectorRegistry()
    keeping = asyncio.create_task(
        vitals.keep_vitals("core", Counters(registry), lambda: 7 * SECOND + SECOND // 2)
    )
    await asyncio.sleep(0.01)
    seen = registry.get_sample_value("monitor_role_seen_timestamp_seconds", {"role": "core"})
    assert seen == 7.5
    alone = registry.get_sample_value(NAMES[2], {"role": "core"})
    other = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0.05)
    assert registry.get_sample_value(NAMES[2], {"role": "core"}) == (alone or 0) + 1
    assert len(given) > 1
    for task in (keeping, other):
        task.cancel()


def test_what_a_role_may_hold_is_told_where_the_system_tells(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    counters = Counters(registry)
    vitals.show_limits("core", counters, root=tmp_path)
    names = ("monitor_role_memory_limit_bytes", "monitor_role_file_limit")
    assert [registry.get_sample_value(name, {"role": "core"}) for name in names] == [None, None]
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:  2048 kB\n")
    (tmp_path / "proc" / "self" / "limits").write_text("Max open files  1024  4096  files\n")
    vitals.show_limits("core", counters, root=tmp_path)
    found = [registry.get_sample_value(name, {"role": "core"}) for name in names]
    assert found == [2048 * 1024, 1024]
