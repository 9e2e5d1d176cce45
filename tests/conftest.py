"""How the tests are shared out among processes (`make test` runs two), and which are not traced."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes, the files that wait for servers begin first.

    A file stays in one process, and each process has servers of its own.

    What slow tests run is not counted as covered: the tracer would double their time, and a line
    that only a slow test reaches lacks a test of its own.
    """
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")
    if hasattr(config, "workerinput"):  # pytest-xdist's sign of a worker
        waiting = {item.path for item in items if item.get_closest_marker("system")}
        items.sort(key=lambda item: item.path not in waiting)
