from pathlib import Path

import pytest

from monitor.cli import execute
from monitor.definitions import compile_plan, load


def test_what_it_writes_is_right(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "config"
    assert execute(["init", str(folder)]) == 0
    out = capfd.readouterr().out
    assert f"wrote {folder}/monitor.yaml" in out
    assert f"monitor check --config {folder}" in out
    configuration = load(folder, environment={})
    assert configuration.warnings == ()
    assert len(compile_plan(configuration).metrics) == len(configuration.metrics)


def test_every_commented_setting_is_right(tmp_path: Path) -> None:
    execute(["init", str(tmp_path)])
    bare = load(tmp_path, environment={}).settings
    path = tmp_path / "monitor.yaml"
    lines = path.read_text().splitlines()
    keys = ("# allowed", "# restate", "# max", "# idle", "# journal", "# hash", "# card", "# prom")
    told = [line[2:] if line.startswith((*keys, "# api")) else line for line in lines]
    path.write_text("\n".join(told))
    shown = load(tmp_path, environment={}).settings
    assert shown.model_fields_set > bare.model_fields_set
    assert shown.kafka_journal == bare.kafka_journal
    assert shown.model_dump(exclude={"journal"}) == bare.model_dump(exclude={"journal"})


def test_it_overwrites_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "monitor.yaml").write_text("mine")
    assert execute(["init", str(tmp_path)]) == 2
    assert (tmp_path / "monitor.yaml").read_text() == "mine"
    assert not (tmp_path / "metrics").exists()
    assert capfd.readouterr().err == (
        f"{tmp_path}/monitor.yaml: exists; remove it or name another folder\n"
    )


def test_a_folder_that_cannot_be(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert execute(["init", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capfd.readouterr().err
