import json
from pathlib import Path

import pytest

from monitor.cli import execute

METRICS = "metrics: [{name: orders, kind: count, of: {event: order}}]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    (folder / "metrics").mkdir(parents=True)
    (folder / "metrics" / "shop.yaml").write_text(METRICS)
    return folder


def service(config: Path, text: str = "") -> None:
    (config / "monitor.yaml").write_text(f"source: {{synthetic: {{seed: 7}}}}\n{text}")


def export(config: Path, *more: str) -> int:
    out = str(config.parent / "out")
    return execute(["dashboards", "export", "--config", str(config), "--out", out, *more])


def test_it_says_what_it_wrote_and_what_was_so_before(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service(config)
    out = config.parent / "out"
    assert export(config) == 0
    told = capfd.readouterr().out.splitlines()
    assert f"wrote {out}/grafana/overview.json" in told
    assert f"wrote {out}/prometheus/monitor.rules.yaml" in told
    assert len(told) == sum(path.is_file() for path in out.rglob("*"))
    assert export(config, "--json") == 0
    files = json.loads(capfd.readouterr().out)["files"]
    assert {file["changed"] for file in files} == {False}


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ("", "http://localhost:8321/"),
        ("api: {host: 10.0.0.7, port: 80, token_env: T}", "http://10.0.0.7:80/"),
        ("api: {host: 0.0.0.0, token_env: T}", "http://localhost:8321/"),
        ("api: {host: 'fd00::7', token_env: T}", "http://[fd00::7]:8321/"),
    ],
)
def test_the_status_page_is_where_the_api_listens(
    config: Path, api: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T", "secret")
    service(config, api)
    assert export(config) == 0
    assert f"({url})" in (config.parent / "out" / "grafana" / "overview.json").read_text()


def test_or_where_it_is_told(config: Path) -> None:
    service(config)
    assert export(config, "--status-url", "https://monitor.example.com/") == 0
    text = (config.parent / "out" / "grafana" / "overview.json").read_text()
    assert "(https://monitor.example.com/)" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--status-url", "monitor"), "--status-url 'monitor' is no address such as http://"),
        (("--out", "/dev/null/x"), "--out /dev/null/x: /dev/null/x/grafana: Not a directory"),
        (("--config", "/nowhere"), "/nowhere: there is no such folder"),
    ],
)
def test_what_it_refuses(
    config: Path,
    arguments: tuple[str, ...],
    message: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    service(config)
    assert export(config, *arguments) == 2
    assert message in capfd.readouterr().err
    assert not (config.parent / "out").exists()


def test_a_configuration_without_a_served_metric_has_nothing_to_show(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service(config)
    (config / "metrics" / "shop.yaml").write_text("metrics: []\n")
    assert export(config) == 2
    assert not (config.parent / "out").exists()
