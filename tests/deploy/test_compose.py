import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monitor.api.serving import is_loopback
from monitor.definitions import load
from monitor.export.dashboards.rule import JOB
from tests.deploy.files import DEPLOY, ROOT, SECRETS, compose, laid_out, mounts, services, tool

ONCE = {"topics"}
"""Services that end."""


def test_the_file_is_right_by_the_schema_of_compose() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            DEPLOY / "compose.yaml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_image_has_a_version() -> None:
    for name, service in services().items():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), name


def test_what_listens_on_the_host_listens_on_its_loopback() -> None:
    published = [port for service in services().values() for port in service.get("ports", ())]
    assert len(published) == 5
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in published)


def test_every_service_that_stays_is_started_again_and_looked_at() -> None:
    for name, service in services().items():
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name
        looked_at = "healthcheck" in service or "build" in service  # the image has its own
        assert looked_at or name in ONCE, name


def test_what_is_waited_for_is_there() -> None:
    for name, service in services().items():
        for other, condition in service.get("depends_on", {}).items():
            assert other in services(), name
            ends = condition["condition"] == "service_completed_successfully"
            assert ends == (other in ONCE), (name, other)


def test_every_file_that_is_mounted_is_in_the_repository_and_cannot_be_changed() -> None:
    for name, service in services().items():
        assert all(source.exists() for source, _ in mounts(name)), name
        bound = [v for v in service.get("volumes", ()) if v.startswith(".")]
        assert all(volume.endswith(":ro") for volume in bound), name
        named = {v.split(":")[0] for v in service.get("volumes", ())} - {
            v.split(":")[0] for v in bound
        }
        assert named <= set(compose()["volumes"]), name


def test_every_secret_must_be_given_and_is_in_the_example() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    wanted = re.findall(r"\$\{(\w+)(:\?)?", text)
    assert {name for name, _ in wanted} == set(SECRETS)
    assert all(required for _, required in wanted)
    example = (DEPLOY / ".env.example").read_text()
    assert re.findall(r"^(\w+)=$", example, re.MULTILINE) == list(SECRETS)
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_monitor_takes_its_settings_from_there(tmp_path: Path) -> None:
    given = services()["monitor"]["environment"]
    filled = {name: re.sub(r"\$\{(\w+).*\}", r"\1", value) for name, value in given.items()}
    folder = laid_out("monitor", tmp_path) / "etc" / "monitor" / "config"
    configuration = load(folder, environment=filled)
    settings = configuration.settings
    assert settings.source.kafka is not None
    assert settings.source.kafka.bootstrap_servers == "kafka:9092"
    assert settings.alertmanager is not None
    assert settings.alertmanager.url == "http://alertmanager:9093"
    assert not is_loopback(settings.api.host)
    assert settings.api.token_env in given
    said = " ".join(str(warning) for warning in configuration.warnings)
    assert "token" not in said
    assert "hash_key_env" not in said
    assert f"--topic={settings.source.kafka.topic}" in services()["topics"]["command"]


def test_prometheus_finds_the_rules_and_the_monitor(tmp_path: Path) -> None:
    config = laid_out("prometheus", tmp_path) / "etc" / "prometheus" / "prometheus.yaml"
    told = tool("promtool", "check", "config", "--lint=all", "--lint-fatal", config)
    assert re.search(r"monitor\.rules\.yaml", told), told
    assert "rules found" in told
    jobs = yaml.safe_load(config.read_text())["scrape_configs"]
    (targets,) = [job["static_configs"][0]["targets"] for job in jobs if job["job_name"] == JOB]
    assert targets == ["monitor:8321"]
    command = services()["prometheus"]["command"]
    assert f"--config.file=/{config.relative_to(tmp_path)}" in command


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=MetricShift", "metric=orders", "severity=page"), "pages"),
        (("alertname=MetricSilent", "metric=orders", "severity=ticket"), "tickets"),
        (("alertname=MetricSilent", "metric=orders", "severity=page"), "pages"),
        (("alertname=MonitorDown", "severity=page"), "pages"),
        (("alertname=MonitorDeadMansSwitch", "severity=none"), "heartbeat"),
        (("alertname=Unknown",), "tickets"),
    ],
)
def test_alertmanager_sends_by_severity(labels: tuple[str, ...], receiver: str) -> None:
    config = DEPLOY / "alertmanager.yaml"
    tool("amtool", "check-config", config)
    told = tool("amtool", "config", "routes", "test", f"--config.file={config}", *labels)
    assert told.split() == [receiver]


def test_grafana_finds_dashboards_and_data(tmp_path: Path) -> None:
    tree = laid_out("grafana", tmp_path)
    given = services()["grafana"]["environment"]
    boards = tree / given["MONITOR_DASHBOARDS"].lstrip("/")
    assert {path.name for path in boards.glob("*.json")} == {"overview.json", "metric.json"}
    assert (tree / given["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].lstrip("/")).is_file()
    provisioning = tree / "etc" / "grafana" / "provisioning"
    used = set()
    for kind in ("dashboards", "datasources"):
        text = (provisioning / kind / "monitor.yaml").read_text()
        used |= set(re.findall(r"\$(\w+)", text))
    assert used == {name for name in given if name.startswith("MONITOR_")}
