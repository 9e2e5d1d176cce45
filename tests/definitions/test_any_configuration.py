"""Whatever stands in the files, loading ends with a configuration or with placed mistakes."""

import re
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.definitions import compile_plan, load
from monitor.definitions.mistake import MistakesError

EXAMPLE = Path(__file__).parent.parent.parent / "config"
MONITOR = yaml.safe_load((EXAMPLE / "monitor.yaml").read_text())
METRICS = {
    "metrics": [
        metric
        for path in sorted((EXAMPLE / "metrics").glob("*.yaml"))
        for metric in yaml.safe_load(path.read_text())["metrics"]
    ]
}
PLACED = re.compile(r"\S+\.yaml(:\d+)?: .+")

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["1m", "7d", "0s", "2%", "all", "orders", "orders / 0", "page", "2027-01-01"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=5), st.sampled_from(["event", "not", "kafka"])),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all nodes."""
    inner = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    return [path, *(found for key, value in inner for found in places(value, (*path, key)))]


@st.composite
def altered(draw: st.DrawFn, data: Any) -> Any:
    """The same with up to three values replaced."""
    data = deepcopy(data)
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(places(data)[1:] or [()]))
        here = data
        for part in path[:-1]:
            here = here[part]
        if path:
            here[path[-1]] = draw(VALUES)
    return data


@settings(max_examples=40, deadline=None)
@given(monitor=altered(MONITOR), metrics=altered(METRICS))
def test_it_loads_or_says_why_not(monitor: Any, metrics: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "metrics").mkdir()
        (folder / "monitor.yaml").write_text(yaml.safe_dump(monitor, allow_unicode=True))
        (folder / "metrics" / "all.yaml").write_text(yaml.safe_dump(metrics, allow_unicode=True))
        try:
            configuration = load(folder, environment={})
        except MistakesError as error:
            lines = str(error).splitlines()
            assert all(PLACED.fullmatch(line) for line in lines), lines
        else:
            plan = compile_plan(configuration)
            assert len(plan.metrics) + len(plan.unserved) == len(configuration.metrics)
            assert all(log > 0 for metric in plan.metrics for log in metric.log_threshold)
