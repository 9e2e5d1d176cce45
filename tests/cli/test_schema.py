import json
from typing import Any

import pytest

from monitor.cli import execute
from monitor.definitions.schema import KINDS
from monitor.settings import Settings


def printed(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert execute(["schema", *arguments]) == 0
    return json.loads(capfd.readouterr().out)


def test_of_metrics(capfd: pytest.CaptureFixture[str]) -> None:
    schema = printed(capfd, "metrics")
    assert set(schema["properties"]) == {"metrics"}
    kinds = {schema["$defs"][kind.capitalize()]["properties"]["kind"]["const"] for kind in KINDS}
    assert kinds == set(KINDS)
    count = schema["$defs"]["Count"]
    assert count["properties"]["bucket"]["default"] == "1m"
    assert sorted(count["required"]) == ["kind", "name", "of"]
    assert count["additionalProperties"] is False


def test_of_the_service(capfd: pytest.CaptureFixture[str]) -> None:
    schema = printed(capfd, "monitor")
    assert set(schema["properties"]) == set(Settings.model_fields)
    assert schema["required"] == ["source"]


def test_of_both(capfd: pytest.CaptureFixture[str]) -> None:
    both = printed(capfd)
    assert both == {name: printed(capfd, name) for name in ("metrics", "monitor")}


def test_of_something_else(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["schema", "alerts"]) == 2
    assert "'metrics', 'monitor'" in capfd.readouterr().err
