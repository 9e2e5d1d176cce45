"""The jobs for GitHub and GitLab: right by their schemas, and their shell run as it stands."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.api.tokens import Tokens
from monitor.cli.calling import Service
from monitor.journal.store import Store
from monitor.settings import Api
from tests.api.service import running
from tests.deploy.files import DEPLOY, ROOT
from tests.release.judged import emit
from tests.system.running import PROGRAM

PIPELINES = DEPLOY / "pipelines"
TOKEN = "s3cret"
VERSION = "v8.3.0"
RUNNER = {
    "GITHUB_SHA": "c0ffee",
    "GITHUB_SERVER_URL": "https://github.example.com",
    "GITHUB_REPOSITORY": "shop/checkout",
    "GITHUB_RUN_ID": "7",
    "CI_COMMIT_TAG": VERSION,
    "CI_COMMIT_SHA": "c0ffee",
    "CI_PIPELINE_URL": "https://gitlab.example.com/shop/checkout/-/pipelines/7",
}


def load(name: str) -> dict[str, Any]:
    # The base loader: `on` is a word here, no truth value.
    loaded: dict[str, Any] = yaml.load((PIPELINES / name).read_text(), yaml.BaseLoader)  # noqa: S506
    return loaded


@pytest.mark.parametrize(
    ("name", "schema"),
    [("github-actions.yaml", "vendor.github-workflows"), ("gitlab-ci.yaml", "vendor.gitlab-ci")],
)
def test_the_file_is_right_by_its_schema(name: str, schema: str) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run([*check, PIPELINES / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(kw_only=True)
class Runner:
    """A machine with `monitor` on its path, in a repository with a tag before this one."""

    store: Store
    folder: Path
    variables: dict[str, str]
    printed: str = ""
    deployed: list[str] = field(default_factory=list)

    def run(self, script: str, shell: str, **variables: str) -> int:
        """The exit code of a step."""
        deployed = self.folder / "deployed"
        done = subprocess.run(
            ["bash", *shell.split(), "-c", script],
            cwd=self.folder,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.printed += done.stdout + done.stderr
        self.deployed = deployed.read_text().split() if deployed.exists() else []
        return done.returncode

    def release(self) -> dict[str, Any]:
        (one,) = Service(self.variables["MONITOR_URL"]).get("/api/v1/releases")[1]["releases"]
        found: dict[str, Any] = one
        return found


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    programs = tmp_path / "bin"
    programs.mkdir()
    python, flag, code = PROGRAM
    script(programs / "monitor", f"exec {python} {flag} '{code}' \"$@\"")
    for name in ("pip", "pipx"):
        script(programs / name, "exit 0")  # it is installed already
    folder = tmp_path / "checkout"
    folder.mkdir()
    script(folder / "deploy.sh", '[ -e broken ] && exit 1; echo "$1" >> deployed')
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (
        ["init", "-q"],
        [*identity, "commit", "-q", "--allow-empty", "-m", "one"],
        ["tag", "v8.2.0"],
        [*identity, "commit", "-q", "--allow-empty", "-m", "two"],
        ["tag", VERSION],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    with Store(tmp_path / "monitor.db") as store:
        tokens = Tokens.of(Api(), {"MONITOR_TOKEN": TOKEN})
        with running(store, tokens=tokens) as url:
            variables = {
                **RUNNER,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "HOME": str(tmp_path),
                "MONITOR_URL": url,
                "MONITOR_TOKEN": TOKEN,
            }
            made = Runner(store=store, folder=folder, variables=variables)
            yield made
            assert TOKEN not in made.printed


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


PASS: dict[str, Any] = {}
FAIL: dict[str, Any] = {"up": 9.0}
INCONCLUSIVE: dict[str, Any] = {"mde": 0.5}


class GitHub:
    """What a runner of GitHub does with the steps of the one job: `bash -e`, conditions, outputs."""

    shell = "--noprofile --norc -e"

    def __init__(self, runner: Runner) -> None:
        (self.job,) = load("github-actions.yaml")["jobs"].values()
        self.runner = runner
        self.outcomes: dict[str, str] = {}
        self.code = ""
        self.failed = False
        env = {k: v for k, v in self.job["env"].items() if not v.startswith("${{")}
        self.env = {**env, "VERSION": VERSION, "WAIT": "1s"}

    def go(self, **found: Any) -> None:
        for step in self.job["steps"]:
            if "run" in step and self._is_due(step.get("if", "success()")):
                if step.get("id") == "gate":
                    emit(self.runner.store, self.runner.release()["id"], **found)
                self._run(step)

    def _is_due(self, condition: str) -> bool:
        words: Mapping[str, bool] = {
            "always()": True,
            "success()": not self.failed,
            "failure()": self.failed,
            "steps.start.outcome == 'success'": self.outcomes.get("start") == "success",
            "steps.gate.outputs.code == '1'": self.code == "1",
        }
        return all(words[part] for part in condition.split(" && "))

    def _run(self, step: dict[str, Any]) -> None:
        output = self.runner.folder / "output"
        env = {**self.env, "GITHUB_OUTPUT": str(output)}
        for name, value in step.get("env", {}).items():
            asked = re.fullmatch(
                r"\$\{\{ steps\.(\w+)\.outcome == '(\w+)' && '(\w+)' \|\| '(\w+)' \}\}", value
            )
            assert asked is not None, value
            env[name] = asked[3] if self.outcomes.get(asked[1]) == asked[2] else asked[4]
        code = self.runner.run(step["run"], self.shell, **env)
        self.failed |= code != 0
        if "id" in step:
            self.outcomes[step["id"]] = "success" if code == 0 else "failure"
        if output.exists():
            self.code = output.read_text().strip().partition("=")[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("found", "failed", "status", "deployed"),
    [
        (PASS, False, "succeeded", [VERSION]),
        (FAIL, True, "rolled_back", [VERSION, "v8.2.0"]),
        (INCONCLUSIVE, True, "succeeded", [VERSION]),
    ],
)
def test_github_goes_on_only_where_the_gate_passes(
    runner: Runner, found: dict[str, Any], status: str, deployed: list[str], *, failed: bool
) -> None:
    job = GitHub(runner)
    job.go(**found)
    release = runner.release()
    assert (job.failed, release["status"], runner.deployed) == (failed, status, deployed), (
        runner.printed
    )
    assert (release["commit"], release["by"]) == ("c0ffee", "MONITOR_TOKEN")
    assert release["url"] == "https://github.example.com/shop/checkout/actions/runs/7"


@pytest.mark.slow
def test_github_tells_a_deployment_that_failed(runner: Runner) -> None:
    (runner.folder / "broken").touch()
    job = GitHub(runner)
    job.go()
    assert job.failed
    assert runner.release()["status"] == "failed"
    assert job.code == "", "the gate is not asked"


GITLAB_SHELL = "-e -o pipefail"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("found", "code"), [(PASS, 0), (FAIL, 1), (INCONCLUSIVE, 3)], ids=["pass", "fail", "neither"]
)
def test_gitlab_goes_on_only_where_the_gate_passes(
    runner: Runner, found: dict[str, Any], code: int
) -> None:
    jobs = load("gitlab-ci.yaml")
    variables = {**jobs["variables"], "WAIT": "1s"}
    before = jobs["default"]["before_script"]

    def run(lines: list[str], **more: str) -> int:
        return runner.run("\n".join(lines), GITLAB_SHELL, **variables, **more)

    assert run([*before, *jobs["deploy"]["script"]]) == 0, runner.printed
    assert run(jobs["deploy"]["after_script"], CI_JOB_STATUS="success") == 0
    assert runner.release()["status"] == "succeeded"
    emit(runner.store, runner.release()["id"], **found)
    assert run([*before, *jobs["gate"]["script"]]) == code, runner.printed
    if code == 1:
        assert run([*before, *jobs["take-back"]["script"]]) == 0
        assert runner.release()["status"] == "rolled_back"
        assert runner.deployed == [VERSION, "v8.2.0"]


@pytest.mark.slow
def test_gitlab_tells_a_deployment_that_failed(runner: Runner) -> None:
    (runner.folder / "broken").touch()
    jobs = load("gitlab-ci.yaml")
    deploy = jobs["deploy"]
    assert runner.run("\n".join(deploy["script"]), GITLAB_SHELL, **jobs["variables"]) != 0
    told = {**jobs["variables"], "CI_JOB_STATUS": "failed"}
    assert runner.run("\n".join(deploy["after_script"]), GITLAB_SHELL, **told) == 0
    assert runner.release()["status"] == "failed"
