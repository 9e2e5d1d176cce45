"""What a role tells the collector, the allocator and the kernel; each in a process of its own, which it changes."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.cli import tuning


def told(program: str, *before: str) -> list[str]:
    """The words that a program printed after the import."""
    whole = f"import gc, os\nfrom monitor.cli.tuning import *\n{program}"
    answer = subprocess.run(
        [*before, sys.executable, "-c", whole], capture_output=True, text=True, check=True
    )
    return answer.stdout.split()


def test_the_collector_looks_rarely_and_not_at_what_the_program_is_made_of() -> None:
    frozen, threshold = told(
        "relax_collector(); print(gc.get_freeze_count(), gc.get_threshold()[0])"
    )
    assert int(frozen) > 10_000
    assert int(threshold) == 50_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an allocator without such heaps")
def test_threads_share_one_heap() -> None:
    busy = (
        "import ctypes, threading\n"
        "meet = threading.Barrier(4)\n"
        "def work():\n"
        "    meet.wait(); kept = [bytes(2_000) for _ in range(1_000)]; meet.wait()\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, 'stdout'))\n"
    )
    heaps = [
        sum("<heap" in word for word in told(start + busy)) for start in ("", "share_one_heap()\n")
    ]
    assert heaps[0] > 1
    assert heaps[1] == 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an allocator without such a call")
def test_holes_in_the_heap_are_given_back() -> None:
    program = (
        "def pages(): return int(open('/proc/self/statm').read().split()[1])\n"
        "kept = [bytes(60_000) for _ in range(2_000)]\n"
        "del kept[:-1]\n"
        "before = pages()\n"
        "print(give_back(), (before - pages()) * os.sysconf('SC_PAGE_SIZE'))"
    )
    took, size = told(program)
    assert took == "True"
    assert int(size) > 50_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")
def test_long_turns_are_for_the_process_and_its_threads_and_leave_its_niceness() -> None:
    program = (
        "import threading\n"
        "took = ask_for_long_turns()\n"
        "seen = []\n"
        "thread = threading.Thread(target=lambda: seen.append(os.sched_getscheduler(0)))\n"
        "thread.start(); thread.join()\n"
        "print(took, os.sched_getscheduler(0) == os.SCHED_BATCH, seen == [os.SCHED_BATCH])\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0))"
    )
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    assert told(program) == ["True", "True", "True", str(nice)]
    assert told(program, "nice", "-n", "7") == ["True", "True", "True", str(min(nice + 7, 19))]


@pytest.mark.skipif(not Path("/proc/self/sched").exists(), reason="a kernel that shows no slices")
def test_the_slice_is_the_longest() -> None:
    shown = told("ask_for_long_turns(); print(open('/proc/self/sched').read())")
    if "se.slice" not in shown:
        pytest.skip("a kernel that shows no slices")
    assert float(shown[shown.index("se.slice") + 2]) in (100_000_000, 100.0)


@pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")
def test_a_policy_that_somebody_has_chosen_stays() -> None:
    program = (
        "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n"
        "print(ask_for_long_turns(), os.sched_getscheduler(0) == os.SCHED_IDLE)"
    )
    assert told(program) == ["False", "True"]


def test_a_machine_of_another_kind_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert tuning.ask_for_long_turns() is False


@pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")
def test_what_the_system_refuses_is_told_and_changes_nothing() -> None:
    answer = told(
        "import monitor.cli.tuning as t; t._SCHED_BATCH = 99; print(ask_for_long_turns())"
    )
    assert answer[-1] == "False"
    assert "turns.refused" in answer
