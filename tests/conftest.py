"""How the tests are shared out among processes (`make test` runs three), and which are not traced."""

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more of the machine, and of what else runs on it, than of the code.
settings.register_profile("monitor", deadline=None)
settings.load_profile("monitor")

_BEGUN_BY = 0.5
"""The share of the files by which those that wait for servers have begun: none is left for the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes, files that wait for servers are spread among those that compute.

    A file stays in one process, and each process has servers of its own. While one process waits, the
    others compute.

    What slow tests run is not counted as covered: the tracer would double their time, and a line
    that only a slow test reaches lacks a test of its own.
    """
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")
    if hasattr(config, "workerinput"):  # pytest-xdist's sign of a worker
        places = _places(items)
        items.sort(key=lambda item: places[item.path])


def _places(items: list[pytest.Item]) -> dict[Path, float]:
    """Where in the order each file stands, from 0 to 1; of those that wait, the slow ones first."""
    files = list(dict.fromkeys(item.path for item in items))
    system = {item.path for item in items if item.get_closest_marker("system")}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    waiting = sorted(system, key=lambda file: (file not in slow, files.index(file)))
    computing = [file for file in files if file not in system]
    begun = {file: _BEGUN_BY * i / len(waiting) for i, file in enumerate(waiting)}
    return begun | {file: (i + 0.5) / len(computing) for i, file in enumerate(computing)}
