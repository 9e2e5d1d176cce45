"""The folder of a run: shared by the roles of one service, wiped by nobody while it is used."""

import re
from contextlib import closing
from pathlib import Path

from monitor.kafka.state_folder import StateFolder


def folder(root: Path, port: int = 8321) -> StateFolder:
    return StateFolder(root, prefix="monitor", port=port)


def test_the_first_run_empties_the_counters_and_the_second_does_not(tmp_path: Path) -> None:
    old = folder(tmp_path).counters / "counter_1.db"
    old.parent.mkdir(parents=True)
    old.touch()
    with closing(folder(tmp_path)) as first, closing(folder(tmp_path)) as second:
        first.enter()
        assert not old.exists()
        in_use = first.counters / "counter_2.db"
        in_use.touch()
        second.enter()
        assert in_use.exists()


def test_one_process_a_role_has_the_static_name(tmp_path: Path) -> None:
    with closing(folder(tmp_path)) as first, closing(folder(tmp_path)) as second:
        first.enter()
        name = first.instance("ingest")
        assert name is not None
        assert re.fullmatch(r"monitor-8321-\w{32}-ingest", name)
        assert second.instance("ingest") is None
        assert second.instance("core") is not None
    with closing(folder(tmp_path)) as third:
        assert third.instance("ingest") == name


def test_every_process_of_a_role_has_a_seat_and_its_successor_takes_it(tmp_path: Path) -> None:
    with closing(folder(tmp_path)) as first, closing(folder(tmp_path)) as second:
        first.enter()
        assert first.seat("ingest") == "ingest-0"
        assert second.seat("ingest") == "ingest-1"
        assert second.seat("core") == "core-0"
        first.close()
        with closing(folder(tmp_path)) as third:
            assert third.seat("ingest") == "ingest-0"


def test_another_port_is_another_service(tmp_path: Path) -> None:
    assert folder(tmp_path).path != folder(tmp_path, port=1).path
    assert folder(tmp_path).view("a") != folder(tmp_path).view("b")


def test_a_name_that_was_given_is_the_name_in_the_group(tmp_path: Path) -> None:
    """In a container the folder is new after every restart, and the name must not be."""
    with closing(StateFolder(tmp_path, prefix="monitor", port=1, name="pod-0")) as one:
        one.enter()
        assert one.instance("core") == "pod-0-core"
