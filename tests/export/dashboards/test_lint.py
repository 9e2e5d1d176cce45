"""The rules of Grafana's dashboard linter, as far as they apply, and that nothing overlaps."""

import itertools
import re
from typing import Any

import pytest

from tests.export.dashboards.boards import NAMES, board, panels, targets

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"none", "short", "percentunit", "currencyUSD", "cps", "s", "ms"}
SELECTOR = re.compile(r"(?<![\w.])(monitor_\w+|ALERTS)(\{[^}]*\})?")


def variables(name: str, kind: str) -> list[dict[str, Any]]:
    return [v for v in board(name)["templating"]["list"] if v["type"] == kind]


def expressions(name: str) -> list[str]:
    asked = [target["expr"] for _, target in targets(name)]
    return asked + [note["expr"] for note in board(name)["annotations"]["list"]]


@pytest.mark.parametrize("name", NAMES)
def test_the_data_source_is_chosen_by_a_variable(name: str) -> None:
    (source,) = variables(name, "datasource")
    assert (source["name"], source["label"], source["query"]) == (
        "datasource",
        "Data source",
        "prometheus",
    )
    for panel in panels(name):
        assert panel["datasource"] == DATASOURCE, panel["title"]
    for title, target in targets(name):
        assert target["datasource"] == DATASOURCE, title
    for note in board(name)["annotations"]["list"]:
        assert note["datasource"] == DATASOURCE


@pytest.mark.parametrize("name", NAMES)
def test_jobs_and_instances_are_chosen_all_by_default(name: str) -> None:
    chosen = {variable["name"]: variable for variable in variables(name, "query")}
    for key, label in (("job", "Job"), ("instance", "Instance")):
        variable = chosen[key]
        assert variable["label"] == label
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["allValue"] == ".+"
        assert variable["current"]["value"] == ["$__all"]


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_asks_for_label_values_again_with_the_time_range(name: str) -> None:
    for variable in variables(name, "query"):
        assert variable["refresh"] == 2
        assert variable["datasource"] == DATASOURCE
        query = variable["query"]["query"]
        assert re.fullmatch(r"label_values\(monitor_\w+(\{.*\})?, \w+\)", query), query


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_has_a_title_a_description_a_unit_and_a_query(name: str) -> None:
    for panel in panels(name):
        assert panel["title"]
        assert len(panel["description"]) > 20, panel["title"]
        if panel["type"] != "text":
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
            assert panel["targets"], panel["title"]


@pytest.mark.parametrize("name", NAMES)
def test_every_selector_keeps_to_the_chosen_jobs_and_instances(name: str) -> None:
    for expression in expressions(name):
        found = list(SELECTOR.finditer(expression))
        assert found, expression
        for match in found:
            assert 'job=~"$job"' in (match[2] or ""), expression
            assert 'instance=~"$instance"' in (match[2] or ""), expression


@pytest.mark.parametrize("name", NAMES)
def test_a_counter_is_shown_as_a_rate_over_the_interval_that_grafana_gives(name: str) -> None:
    for expression in expressions(name):
        counters = len(re.findall(r"monitor_\w+_total\b", expression))
        rates = re.findall(r"rate\(monitor_\w+_total\{[^}]*\}\[([^]]*)\]\)", expression)
        assert rates == ["$__rate_interval"] * counters, expression
        assert "[" not in re.sub(r"\[\$__rate_interval\]", "", expression), expression


@pytest.mark.parametrize("name", NAMES)
def test_every_line_has_a_name_of_its_own(name: str) -> None:
    for panel in panels(name):
        if panel["type"] in ("table", "text"):
            continue
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert all(legends), panel["title"]
        assert len(set(legends)) == len(legends), panel["title"]
        for target in panel["targets"]:
            by = re.match(r"(?:topk\(\d+, )?(?:max|sum) by \(([^)]*)\)", target["expr"])
            kept = set(by[1].split(", ")) if by else set()
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            # What is kept apart is told apart, unless the selector leaves one of each.
            fixed = set(re.findall(r'(\w+)="', target["expr"]))
            assert kept - fixed <= named | {"metric", "dimension", "segment"}, target["expr"]
            assert named <= kept or not by, target["expr"]


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_cannot_be_edited_where_changes_would_be_lost(name: str) -> None:
    assert board(name)["editable"] is False
    assert board(name)["uid"] == f"monitor-{name}"


@pytest.mark.parametrize("name", NAMES)
def test_panels_have_ids_and_places_of_their_own(name: str) -> None:
    ids = [panel["id"] for panel in board(name)["panels"]]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in board(name)["panels"]]
    assert all(p["x"] >= 0 and p["x"] + p["w"] <= 24 for p in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
