"""Whatever stands in the files, loading ends with a configuration or with placed mistakes.

`make fuzz` is the long form of this.
"""

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, example, given, settings

from tests.fuzz.configurations import check_configuration
from tests.strategies.configurations import (
    ENVIRONMENTS,
    FILES,
    METRICS,
    MONITOR,
    MONITOR_TEXT,
    bytes_of,
    dumped,
)


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(files=FILES, environment=ENVIRONMENTS)
@example(files=(bytes_of(dumped(MONITOR)), bytes_of(dumped(METRICS))), environment={})
@example(files=(b"source: {synthetic: {}}\n", b"{}"), environment={})  # no metric at all
def test_it_loads_and_runs_or_says_why_not(
    files: tuple[bytes, bytes], environment: Mapping[str, str]
) -> None:
    told = check_configuration(*files, environment)
    assert told["loaded"] + told["refused"] == 1


def test_the_example_is_run() -> None:
    told = check_configuration(MONITOR_TEXT.encode(), bytes_of(dumped(METRICS)), {})
    assert told["loaded"] == 1
    assert min(told["events"], told["records"], told["frames"]) > 0
