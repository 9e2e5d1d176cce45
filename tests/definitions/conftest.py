from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from monitor.definitions import Configuration, load

Loader = Callable[..., Configuration]


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    """Loads a configuration of these texts."""

    def loaded(
        metrics: str,
        monitor: str = "source: {synthetic: {}}",
        environment: Mapping[str, str] | None = None,
    ) -> Configuration:
        (tmp_path / "metrics").mkdir(exist_ok=True)
        (tmp_path / "monitor.yaml").write_text(monitor)
        (tmp_path / "metrics" / "all.yaml").write_text(metrics)
        return load(tmp_path, environment=environment or {})

    return loaded
