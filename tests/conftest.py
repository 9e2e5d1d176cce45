"""How the tests are shared out among processes (`make test` runs two), and which are not traced."""

from pathlib import Path

import pytest

_SYSTEM = Path(__file__).parent / "system"


def _group(item: pytest.Item) -> str:
    """What stays in one process: tests with common servers, else the tests of a file."""
    return "system" if item.path.is_relative_to(_SYSTEM) else item.path.as_posix()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Name the groups for `--dist loadgroup`; those that wait for servers begin first.

    What slow tests run is not counted as covered: the tracer would double their time, and a line
    that only a slow test reaches lacks a test of its own.
    """
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")
    if not getattr(config.option, "loadgroup", False):  # as pytest-xdist tells its workers
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    waiting = {_group(item) for item in items if item.get_closest_marker("system")}
    items.sort(key=lambda item: (_group(item) != "system", _group(item) not in waiting))
