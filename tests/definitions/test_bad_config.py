"""One file per mistake in `tests/bad_config`; its first lines say what must be told of it.

`# expect:` lines are the whole output, in order. `monitor_*` stands for monitor.yaml, the others for
a file of metrics; the rest of the configuration is good.
"""

from pathlib import Path

import pytest

from monitor.definitions import load
from monitor.definitions.mistake import MistakesError

CASES = sorted((Path(__file__).parent.parent / "bad_config").glob("*.yaml"))
EXPECT = "# expect: "


def test_there_are_cases() -> None:
    assert len(CASES) > 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_mistake_is_told_with_its_line(case: Path, tmp_path: Path) -> None:
    text = case.read_text()
    expected = [line.removeprefix(EXPECT) for line in text.splitlines() if line.startswith(EXPECT)]
    (tmp_path / "metrics").mkdir()
    monitor, metrics = tmp_path / "monitor.yaml", tmp_path / "metrics" / "metrics.yaml"
    monitor.write_text("source: {synthetic: {}}\n")
    metrics.write_text("metrics:\n  - {name: good, kind: count, of: {event: order}}\n")
    (monitor if case.stem.startswith("monitor_") else metrics).write_text(text)

    with pytest.raises(MistakesError) as caught:
        load(tmp_path, environment={})

    told = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert expected
    assert told == expected
