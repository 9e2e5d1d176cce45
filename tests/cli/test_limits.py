"""What a process may hold at most, as different systems tell it."""

from pathlib import Path

from monitor.cli.limits import file_limit, memory_limit

GB = 1 << 30


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_the_least_limit_counts_that_of_a_group_above_too(tmp_path: Path) -> None:
    groups = {
        "proc/meminfo": f"MemFree: 1 kB\nMemTotal: {8 * GB // 1024} kB\n",
        "proc/self/cgroup": "4:memory:/x\n0::/system.slice/monitor.service\n",
        "sys/fs/cgroup/system.slice/monitor.service/memory.max": "max\n",
        "sys/fs/cgroup/system.slice/memory.max": f"{2 * GB}\n",
    }
    assert memory_limit(put(tmp_path, groups)) == 2 * GB


def test_a_container_shows_its_limit_at_the_root(tmp_path: Path) -> None:
    machine = {"proc/meminfo": f"MemTotal: {8 * GB // 1024} kB\n", "proc/self/cgroup": "0::/\n"}
    second = put(tmp_path / "2", {**machine, "sys/fs/cgroup/memory.max": f"{GB}"})
    first = put(tmp_path / "1", {"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GB}"})
    assert memory_limit(second) == memory_limit(first) == GB


def test_without_a_limit_it_is_the_machines_memory(tmp_path: Path) -> None:
    none = {
        "proc/meminfo": f"MemTotal: {8 * GB // 1024} kB\n",
        "sys/fs/cgroup/memory.max": "max",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
    }
    assert memory_limit(put(tmp_path, none)) == 8 * GB


def test_where_nothing_tells_there_is_none(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) is None
    assert file_limit(tmp_path) is None
    told = put(tmp_path, {"proc/self/limits": "Max open files      unlimited unlimited files\n"})
    assert file_limit(told) is None
