"""Argo Rollouts and Flagger: what their controllers would send, from the files, to a running service."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec
import pytest
import yaml

from monitor.api.tokens import Tokens
from monitor.cli.calling import Service
from monitor.journal.store import Store
from monitor.settings import Api
from tests.api.service import running
from tests.deploy.files import DEPLOY
from tests.release.judged import emit

TOKEN = "s3cret"
PIPELINES = DEPLOY / "pipelines"
PASS: dict[str, Any] = {}
FAIL: dict[str, Any] = {"up": 9.0}
INCONCLUSIVE: dict[str, Any] = {"mde": 0.5}
"""What the core says of both metrics, of which `errors` is better down."""


class Web(msgspec.Struct, forbid_unknown_fields=True):
    """Argo's web provider; the names are those of its custom resource."""

    url: str
    method: Literal["GET", "POST", "PUT"] = "GET"
    headers: list[dict[str, str]] = []
    body: str | None = None
    jsonBody: dict[str, Any] | None = None  # noqa: N815
    jsonPath: str = "{$}"  # noqa: N815
    timeoutSeconds: int = 10  # noqa: N815
    insecure: bool = False


class Provider(msgspec.Struct, forbid_unknown_fields=True):
    web: Web


class Metric(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    provider: Provider
    interval: str
    count: int
    successCondition: str  # noqa: N815
    failureCondition: str  # noqa: N815
    failureLimit: int = 0  # noqa: N815
    inconclusiveLimit: int = 0  # noqa: N815
    consecutiveErrorLimit: int = 4  # noqa: N815
    consecutiveSuccessLimit: int = 0  # noqa: N815
    initialDelay: str = "0s"  # noqa: N815


class Hook(msgspec.Struct, forbid_unknown_fields=True):
    """A webhook of a Flagger canary."""

    name: str
    url: str
    type: Literal["confirm-promotion", "rollback", "rollout", "confirm-rollout", "pre-rollout"]
    timeout: str = "10s"
    metadata: dict[str, str] = {}
    retries: int = 0
    muteAlert: bool = False  # noqa: N815
    disableTLS: bool = False  # noqa: N815


@dataclass(kw_only=True)
class Scene:
    """A service with a token of which neither tool knows."""

    url: str
    store: Store

    def release(self, version: str, **found: Any) -> None:
        told = {"service": "checkout", "environment": "production", "version": version}
        client = Service(self.url, variables={"MONITOR_TOKEN": TOKEN})
        _, one = client.post("/api/v1/releases", {**told, "status": "succeeded"})
        emit(self.store, one["id"], **found)

    def send(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        """As both controllers do: JSON, and no header beside its type."""
        assert urlsplit(url).port == 8321
        here = self.url + urlsplit(url).path
        headers = {"Content-Type": "application/json"}
        request = Request(here, json.dumps(body).encode(), headers, method=method)  # noqa: S310
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Store(tmp_path / "monitor.db") as store:
        tokens = Tokens.of(Api(), {"MONITOR_TOKEN": TOKEN})
        with running(store, tokens=tokens) as url:
            yield Scene(url=url, store=store)


def resources(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((PIPELINES / name).read_text()))


def measured(metric: Metric, args: dict[str, str], scene: Scene) -> str:
    """One measurement, as Argo's controller makes it: its phase."""
    web = metric.provider.web
    text = json.dumps(web.jsonBody)
    for name, value in args.items():
        text = text.replace("{{ args." + name + " }}", value)
    assert "{{" not in text
    status, body = scene.send(web.method, web.url, json.loads(text))
    if not 200 <= status < 300:
        return "Error"
    path = re.fullmatch(r"\{\$\.(\w+)\}", web.jsonPath)
    assert path is not None
    result = body[path[1]]
    if holds(metric.failureCondition, result):
        return "Failed"
    return "Successful" if holds(metric.successCondition, result) else "Inconclusive"


def holds(condition: str, result: str) -> bool:
    compared = re.fullmatch(r'result == "(\w+)"', condition)
    assert compared is not None
    return result == compared[1]


def argo() -> tuple[Metric, dict[str, Any], dict[str, Any]]:
    template, rollout = resources("argo-rollouts.yaml")
    (metric,) = msgspec.convert(template["spec"]["metrics"], list[Metric])
    return metric, template, rollout


@pytest.mark.parametrize(
    ("found", "version", "phase"),
    [
        (PASS, "8.3.0", "Successful"),
        (FAIL, "8.3.0", "Failed"),
        (INCONCLUSIVE, "8.3.0", "Inconclusive"),
        (PASS, "8.4.0", "Inconclusive"),
    ],
)
def test_argo_goes_on_only_where_the_gate_passes(
    scene: Scene, found: dict[str, Any], version: str, phase: str
) -> None:
    scene.release("8.3.0", **found)
    metric, template, rollout = argo()
    given = {arg["name"]: arg.get("value") for arg in template["spec"]["args"]}
    (step,) = [
        s["analysis"] for s in rollout["spec"]["strategy"]["canary"]["steps"] if "analysis" in s
    ]
    assert step["templates"] == [{"templateName": template["metadata"]["name"]}]
    for arg in step["args"]:
        given[arg["name"]] = arg.get("value", version)
    assert set(given) == {"service", "environment", "version"}
    assert None not in given.values()
    label = re.search(r"\['(.+)'\]", json.dumps(step["args"]))
    assert label is not None
    assert rollout["metadata"]["labels"][label[1]] == "8.3.0"
    assert measured(metric, given, scene) == phase


def test_argo_pauses_where_nothing_but_inconclusive_comes() -> None:
    metric, *_ = argo()
    assert metric.failureLimit == 0, "the first `fail` ends it"
    assert metric.consecutiveSuccessLimit == 1, "the first `pass` ends it"
    assert metric.inconclusiveLimit < metric.count, "or `inconclusive` throughout would succeed"


def approves(hook: Hook, scene: Scene) -> bool:
    """Whether Flagger takes the answer for a yes."""
    body = {
        "name": "checkout",
        "namespace": "shop",
        "phase": "Progressing",
        "checksum": "7d5b8c4f9b",
        "metadata": hook.metadata,
    }
    status, _ = scene.send("POST", hook.url, body)
    return status <= 202


@pytest.mark.parametrize(
    ("found", "version", "promotes", "rolls_back"),
    [
        (PASS, "8.3.0", True, False),
        (FAIL, "8.3.0", False, True),
        (INCONCLUSIVE, "8.3.0", False, False),
        (PASS, "8.2.0", False, False),
    ],
)
def test_flagger_promotes_what_passes_and_rolls_back_what_fails(
    scene: Scene, found: dict[str, Any], version: str, *, promotes: bool, rolls_back: bool
) -> None:
    scene.release(version, **found)
    (canary,) = resources("flagger.yaml")
    hooks = {
        hook.type: hook
        for hook in msgspec.convert(canary["spec"]["analysis"]["webhooks"], list[Hook])
    }
    assert set(hooks) == {"confirm-promotion", "rollback"}
    assert approves(hooks["confirm-promotion"], scene) is promotes
    assert approves(hooks["rollback"], scene) is rolls_back
