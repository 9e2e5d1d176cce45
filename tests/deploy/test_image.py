import re
import tomllib

from tests.deploy.files import ROOT, services

LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


def instructions(name: str) -> list[str]:
    return [line.removeprefix(name).strip() for line in LINES if line.startswith(f"{name} ")]


def test_both_stages_are_of_one_python_with_a_version() -> None:
    (argument,) = instructions("ARG")
    assert re.fullmatch(r"PYTHON=3\.\d+\.\d+-slim-\w+", argument)
    assert instructions("FROM") == ["python:${PYTHON} AS build", "python:${PYTHON}"]


def test_whatever_is_installed_is_locked_by_its_hash() -> None:
    installs = [line for line in instructions("RUN") if "pip install" in line]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-index" in line, line
    for name in re.findall(r"-r (\S+)", " ".join(installs)):
        locked = (ROOT / name).read_text()
        assert re.findall(r"^[\w-]+(?:\[.*\])?==", locked, re.MULTILINE)
        assert "--hash=sha256:" in locked


def test_it_runs_as_a_user_without_rights() -> None:
    (user,) = instructions("USER")
    assert user == "10001:10001"
    after = LINES[LINES.index(f"USER {user}") :]
    assert not any(line.startswith(("RUN", "COPY", "ADD")) for line in after)


def test_what_is_copied_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for line in instructions("COPY"):
        if not line.startswith("--from"):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source.split('/')[0]}" in ignored, source


def test_the_image_has_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert services()["monitor"]["image"] == f"metric-monitor:{version}"
