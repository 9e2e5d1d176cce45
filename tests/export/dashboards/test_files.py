import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitor.definitions import compile_plan, load
from monitor.errors import StateError
from monitor.export.dashboards import files
from monitor.export.dashboards.writing import write
from tests.export.dashboards.boards import EXPORTED, NAMES, ROOT, board
from tests.journal.examples import metric, plan

STATUS = "http://localhost:8321"


def overview(*metrics: Any) -> dict[str, Any]:
    made = files(replace(plan(), metrics=metrics), status_url=STATUS)
    text = made[PurePosixPath("grafana/overview.json")]
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def titles(board: dict[str, Any], kind: str) -> list[str]:
    return [panel["title"] for panel in board["panels"] if panel["type"] == kind]


def test_what_is_committed_is_what_the_example_configuration_gives() -> None:
    """After a change of definitions: `make dashboards`."""
    made = files(compile_plan(load(ROOT / "config", environment={})), status_url=STATUS)
    committed = {
        PurePosixPath(path.relative_to(EXPORTED)): path.read_text()
        for path in EXPORTED.rglob("*")
        if path.is_file()
    }
    assert committed == made


@pytest.mark.parametrize("name", NAMES)
def test_grafanas_own_types_read_a_dashboard_and_write_it_back_the_same(name: str) -> None:
    plugins.register_default_plugins()
    read = Dashboard.from_json(board(name))
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == board(name)


def test_a_tier_has_a_row_and_what_pages_comes_first() -> None:
    shown = overview(
        metric("a_ticket", tier="health", severity="ticket"),
        metric("b_page", tier="health"),
        metric("c_star", tier="north_star"),
        metric("d_page"),
        metric("e_ticket", severity="ticket"),
    )
    assert titles(shown, "row") == [
        "Now",
        "North Star",
        "Health",
        "Others that page",
        "Data quality",
    ]
    bands = [title for title in titles(shown, "timeseries") if title[1] == "_"]
    assert bands == ["c_star", "b_page", "a_ticket", "d_page"]


def test_a_large_tier_shows_six_and_says_so() -> None:
    shown = overview(*(metric(f"m{n}", tier="health") for n in range(9)))
    assert "Health (6 of 9)" in titles(shown, "row")
    assert [t for t in titles(shown, "timeseries") if t[0] == "m"] == [f"m{n}" for n in range(6)]


def test_without_a_tier_and_without_pages_there_is_still_an_overview() -> None:
    shown = overview(metric("e_ticket", severity="ticket"))
    assert titles(shown, "row") == ["Now", "Data quality"]
    assert "Evidence ratio" not in titles(shown, "timeseries")


def test_a_metric_leads_to_its_dashboard_and_the_text_to_runbook_and_status_page() -> None:
    shown = overview(metric("orders", runbook_url="https://runbooks.example.com/orders"))
    (band,) = [panel for panel in shown["panels"] if panel["title"] == "orders"]
    (link,) = band["fieldConfig"]["defaults"]["links"]
    assert link["url"].startswith("/d/monitor-metric?var-metric=orders&var-dimension=all&")
    (text,) = [panel for panel in shown["panels"] if panel["type"] == "text"]
    assert "orders: [runbook](https://runbooks.example.com/orders)" in text["options"]["content"]
    assert f"({STATUS}/)" in text["options"]["content"]


@pytest.mark.parametrize(
    ("unit_name", "unit", "label"),
    [("share", "percentunit", None), ("USD", "currencyUSD", None), ("pies", "short", "pies")],
)
def test_a_unit_is_grafanas_or_the_label_of_the_axis(
    unit_name: str, unit: str, label: str | None
) -> None:
    shown = overview(metric("orders", unit_name=unit_name))
    (band,) = [panel for panel in shown["panels"] if panel["title"] == "orders"]
    defaults = band["fieldConfig"]["defaults"]
    assert (defaults["unit"], defaults["custom"].get("axisLabel") or None) == (unit, label)


def test_the_band_is_filled_between_lower_and_upper() -> None:
    (band,) = [panel for panel in board("overview")["panels"] if panel["title"] == "orders"]
    overrides = {
        over["matcher"]["options"]: {p["id"]: p["value"] for p in over["properties"]}
        for over in band["fieldConfig"]["overrides"]
    }
    assert overrides["upper"]["custom.fillBelowTo"] == "lower"
    assert [t["legendFormat"] for t in band["targets"]] == ["upper", "lower", "expected", "value"]
    assert "monitor_bucket_value{" in band["targets"][3]["expr"]


def test_provisioning_names_what_the_environment_gives() -> None:
    folder = EXPORTED / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((folder / "dashboards.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((folder / "datasources.yaml").read_text())["datasources"]
    assert provider["options"]["path"] == "$MONITOR_DASHBOARDS"
    assert source["url"] == "$MONITOR_PROMETHEUS_URL"


def test_only_what_is_new_is_written_and_whole(tmp_path: Path) -> None:
    texts = {PurePosixPath("a/b.json"): "one", PurePosixPath("c.json"): "two"}
    assert [new for _, new in write(tmp_path, texts)] == [True, True]
    texts[PurePosixPath("c.json")] = "three"
    assert write(tmp_path, texts) == [
        (tmp_path / "a" / "b.json", False),
        (tmp_path / "c.json", True),
    ]
    assert (tmp_path / "c.json").read_text() == "three"
    assert not list(tmp_path.rglob("*.partial"))


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(StateError, match="name a folder that can be written to"):
        write(tmp_path, {PurePosixPath("a/b.json"): "one"})
    assert (tmp_path / "a").read_text() == "a file"
