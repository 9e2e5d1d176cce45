"""ARCHITECTURE.md names what is there, and nothing that is not."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text()


def packages() -> set[str]:
    return {p.parent.name for p in (ROOT / "monitor").glob("*/__init__.py")}


def test_every_package_has_its_line_and_every_line_its_package() -> None:
    table = TEXT.split("## Packages")[1].split("Single files")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == packages()


def test_every_single_file_is_named() -> None:
    files = {p.stem for p in (ROOT / "monitor").glob("*.py")} - {"__init__", "__main__"}
    line = TEXT.split("Single files: ")[1].split("**Imports")[0]
    assert set(re.findall(r"`(\w+)`", line)) == files


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:\w+/)+[\w.]+\.(?:py|md))`", TEXT))
    missing = {n for n in named if not (ROOT / "monitor" / n).exists() and not (ROOT / n).exists()}
    assert missing == set()


def test_nothing_in_the_repository_names_this_machine() -> None:
    registries = r"\b(?:pypi|pythonhosted|npmjs|repo1?\.maven)\."
    folders = r"/(?:work|root|home)/"
    hosts = re.compile(f"{registries}|{folders}")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.split() if ROOT / name != Path(__file__)]
    found = [str(p) for p in paths if p.exists() and hosts.search(p.read_text(errors="replace"))]
    assert paths
    assert found == []
