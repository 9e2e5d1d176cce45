"""`monitor backfill` as a user types it: the service then judges from its first day."""

import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.cli import execute
from monitor.clock import wall_clock
from monitor.definitions import compile_plan
from monitor.embedded.feeds import source_of
from monitor.embedded.state_file import StoreKeeper, held
from monitor.journal.store import Store
from monitor.telemetry import Counters
from tests.embedded import history


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks, and half a bucket more that the service will see whole."""
    folder = tmp_path_factory.mktemp("past")
    return history.write(folder / "past.ndjson", history.calm())


def prepared(folder: Path, lines: history.Lines) -> tuple[Path, Path]:
    """A configuration that reads a live file, and its state file."""
    live = history.write(folder / "live.ndjson", lines)
    config, _ = history.configured(folder, f'{{files: ["{live}"]}}')
    return config, folder / "state.db"


def serve(config: Path, state: Path) -> Store:
    """Let the service read what there is of its source."""
    _, configuration = history.configured(
        config.parent, f'{{files: ["{config.parent / "live.ndjson"}"]}}'
    )
    plan = compile_plan(configuration)
    with held(state) as store:
        engine, feed = source_of(
            configuration,
            plan,
            StoreKeeper(store),
            clock=wall_clock,
            counters=Counters(CollectorRegistry()),
        )
        while feed.step() is not None:
            pass
        engine.save()
    return Store(state)


@pytest.mark.slow
def test_the_service_judges_at_once(
    tmp_path: Path, past: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, state = prepared(tmp_path, history.fallen())
    assert execute(["backfill", str(past), "--config", str(config), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["events"]["read"] > 0
    assert {one["metric"]: one["learning_until"] for one in result["metrics"]} == {
        "orders": None,
        "error_rate": None,
    }
    with serve(config, state) as store:
        alerts = [a for a in store.alerts() if a.metric == "orders"]
        first, second, *_ = store.buckets("orders", since_us=history.END * 1_000_000)
    assert [a.state.value for a in alerts] == ["firing"]
    assert alerts[0].relative_shift == pytest.approx(-0.4, abs=0.05)
    # of the first, the beginning may be missing: the source begins inside it
    assert (first["state"], second["state"]) == ("partial", "ok")


@pytest.mark.slow
def test_what_the_source_holds_of_the_history_is_passed_over(tmp_path: Path, past: Path) -> None:
    overlap = history.END - 86_400
    config, state = prepared(tmp_path, [*history.calm(overlap), *history.fallen()])
    assert execute(["backfill", str(past), "--config", str(config)]) == 0
    with Store(state) as store:
        before = list(store.buckets("orders"))
    with serve(config, state) as store:
        after = {row["start"]: row for row in store.buckets("orders")}
    assert before
    for row in before:
        assert after[row["start"]] == row
    assert "partial" not in {row["state"] for row in after.values()}


@pytest.mark.slow
def test_an_incident_at_the_end_of_the_history_is_closed_without_recovery(
    tmp_path: Path, past: Path
) -> None:
    ill = history.write(tmp_path / "ill.ndjson", [*history.calm(), *history.fallen()])
    config, state = prepared(tmp_path, [])
    assert execute(["backfill", str(ill), "--config", str(config)]) == 0
    with Store(state) as store:
        reasons = {a.reason for a in store.alerts()}
        states = {a.state.value for a in store.alerts()}
    assert reasons == {"history_ended"}
    assert states == {"resolved"}
    assert past.exists()


def test_it_is_refused_where_a_service_has_state(
    tmp_path: Path, past: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, state = prepared(tmp_path, history.fallen())
    serve(config, state).close()
    kept = state.read_bytes()
    assert execute(["backfill", str(past), "--config", str(config)]) == 2
    assert "holds the state of a service" in capsys.readouterr().err
    assert state.read_bytes() == kept


@pytest.fixture
def hours(tmp_path: Path) -> Path:
    """Six hours, for what does not ask what was learnt."""
    return history.write(tmp_path / "hours.ndjson", history.fallen())


def test_one_that_died_can_be_run_again(tmp_path: Path, hours: Path) -> None:
    config, state = prepared(tmp_path, [])
    with Store(state) as store:
        store.set_told(3)
    assert execute(["backfill", str(hours), "--config", str(config)]) == 0
    with Store(state) as store:
        assert store.told() is None


def test_one_that_is_interrupted_leaves_nothing(
    tmp_path: Path, hours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, state = prepared(tmp_path, [])

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("monitor.embedded.engine.Engine.end_history", interrupted)
    assert execute(["backfill", str(hours), "--config", str(config)]) == 130
    assert [path.name for path in tmp_path.glob(f"{state.name}*")] == [f"{state.name}.lock"]


def test_a_file_that_is_absent_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, state = prepared(tmp_path, [])
    assert execute(["backfill", "nowhere.ndjson", "--config", str(config)]) == 2
    assert "nowhere.ndjson: no such file" in capsys.readouterr().err
    assert not state.exists()


def test_no_event_leaves_a_state_that_knows_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, _ = prepared(tmp_path, [])
    empty = tmp_path / "empty.ndjson"
    empty.write_text("")
    assert execute(["backfill", str(empty), "--config", str(config)]) == 0
    assert "is empty" in capsys.readouterr().err
