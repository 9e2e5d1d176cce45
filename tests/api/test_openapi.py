"""The document describes every route, and the service answers as it says, whatever is sent."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.openapi import PATH, document, routes
from monitor.api.tokens import Tokens
from monitor.cli.calling import Service
from monitor.journal.records import records
from monitor.journal.store import Store
from monitor.model.incident import IncidentState
from monitor.model.time import MINUTE, to_rfc3339
from monitor.settings import Api
from tests.api.service import running
from tests.journal.examples import T0, changed, closed, incident, plan
from tests.release.told import body

TOKEN = "s3cret"
EXAMPLES = 8
"""Requests of chance an operation, beside those that try every bound of its schema."""
TOKENS = Tokens.of(Api(), {"MONITOR_TOKEN": TOKEN})


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A service that holds buckets, an alert, an annotation and a release."""
    with Store(tmp_path / "monitor.db") as store:
        for minute in range(2):
            store.commit(records(closed(T0 + minute * MINUTE)))
        store.commit(records(changed(incident(state=IncidentState.FIRING))))
        with running(store, tokens=TOKENS, github_secret="hook") as url:
            yield url


def post(url: str, path: str, told: Any) -> Any:
    return Service(url, variables={"MONITOR_TOKEN": TOKEN}).post(path, told)[1]


@pytest.mark.slow
def test_the_service_answers_as_its_document_says(url: str, tmp_path: Path) -> None:
    annotation = post(url, "/api/annotations", {"text": "a"})["id"]
    release = post(url, "/api/v1/releases", body(started_at=to_rfc3339(T0)))["id"]
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(
        f"""
        [[operations]]
        include-operation-id-regex = "^(get|put|patch)_api_annotations_id$"
        parameters = {{ id = "{annotation}" }}
        [[operations]]
        include-path-regex = "^/api/v1/releases/"
        parameters = {{ id = "{release}" }}
        """
    )
    program = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(settings),
        "--no-color",
    ]
    # A whole number may be written with a fraction of nothing (1.0), which is refused.
    options = ["--exclude-checks", "positive_data_acceptance", "--phases", "coverage,fuzzing"]
    options += ["--max-examples", str(EXAMPLES), "--generation-deterministic"]
    options += ["--header", f"Authorization: Bearer {TOKEN}"]
    done = subprocess.run(
        [*program, "run", url + PATH, *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    paths = Service(url).get(PATH)[1]["paths"]
    operations = sum(len(methods) for path, methods in paths.items() if path != PATH)
    assert f"{operations} selected" in done.stdout


def test_every_route_is_described_and_says_what_it_does(tmp_path: Path) -> None:
    app = create_app(
        tmp_path / "m.db", plan(), clock=lambda: T0, registry=CollectorRegistry(), tokens=TOKENS
    )
    told = document(app)
    for method, path, _ in routes(app):
        made = told["paths"][path][method]
        assert made["summary"][0].isupper(), path
        assert "application/problem+json" in json.dumps(made["responses"])
    text = json.dumps(told)
    names = set(told["components"]["schemas"])
    assert {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]} <= names


def test_the_page_and_what_is_not_found_lead_to_it(url: str) -> None:
    with urlopen(url, timeout=10) as answer:  # noqa: S310
        assert f'href="{PATH}"' in answer.read().decode()
    status, problem = Service(url).get("/api/v1/nothing")
    assert (status, PATH in problem["detail"]) == (404, True)


@pytest.mark.parametrize(
    ("tokens", "open_reads", "read", "write", "gate"),
    [
        (Tokens(), True, [], [], []),
        (TOKENS, True, [], [{"token": []}], []),
        (TOKENS, False, [{"token": []}], [{"token": []}], [{"token": []}]),
    ],
)
def test_what_needs_a_token_is_told_as_this_service_does_it(
    tmp_path: Path, tokens: Tokens, *, open_reads: bool, read: Any, write: Any, gate: Any
) -> None:
    app = create_app(
        tmp_path / "m.db",
        plan(),
        clock=lambda: T0,
        registry=CollectorRegistry(),
        tokens=tokens,
        open_reads=open_reads,
    )
    paths = document(app)["paths"]
    assert paths["/api/v1/alerts"]["get"]["security"] == read
    assert paths["/api/v1/releases"]["post"]["security"] == write
    assert paths["/api/v1/gates/evaluate"]["post"]["security"] == gate
    assert "security" not in paths["/healthz"]["get"]
