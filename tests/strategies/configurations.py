"""Configurations: of the example, of its parts with others in their place, and texts of all sorts."""

from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml
from hypothesis import strategies as st

EXAMPLE: Final = Path(__file__).parent.parent.parent / "config"
MONITOR: Final = yaml.safe_load((EXAMPLE / "monitor.yaml").read_text())
METRICS: Final = {
    "metrics": [
        metric
        for path in sorted((EXAMPLE / "metrics").glob("*.yaml"))
        for metric in yaml.safe_load(path.read_text())["metrics"]
    ]
}
MONITOR_TEXT: Final = "source: {synthetic: {}}\n"
METRICS_TEXT: Final = (EXAMPLE / "metrics" / "shop.yaml").read_text()
BAD: Final = sorted((Path(__file__).parent.parent / "bad_config").glob("*.yaml"))

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


DURATIONS = st.sampled_from(["10s", "30s", "1m", "5m", "15m", "1h", "6h", "1d", "1w", "90s", "0s"])
_EVENTS = st.sampled_from(["order", "view", "session", "with space", "ü", "#2"])
_NAMES = st.sampled_from(["all", *"abcdefghijklmnopqrst"])
_DIMENSIONS = st.sampled_from(
    [*["country", "platform", "plan", "size"] * 8, *["actor", "step", "a,b", ""]]
)
_LITERALS = st.sampled_from(["error", "paid", 5, 5.5, True]) | SCALARS
_WHERE = st.dictionaries(
    st.sampled_from(["country", "status", "amount"]),
    st.one_of(
        _LITERALS,
        st.lists(_LITERALS, min_size=1, max_size=2),
        st.fixed_dictionaries({"not": _LITERALS}),
        st.fixed_dictionaries({"prefix": st.sampled_from(["e", ""])}),
        st.dictionaries(
            st.sampled_from(["lt", "lte", "gt", "gte", "is"]),
            st.floats() | st.integers(),
            max_size=2,
        ),
    ),
    max_size=1,
)
_EVENT = st.fixed_dictionaries({"event": _EVENTS}, optional={"where": _WHERE})
_VALUE = st.fixed_dictionaries(
    {"event": _EVENTS, "value": st.sampled_from(["amount", "seconds"])}, optional={"where": _WHERE}
)
_SELECTORS = st.one_of(_EVENT, _EVENT, _VALUE)
_VALUED = st.integers(0, 9).flatmap(lambda n: _VALUE if n else _EVENT)
_FORMULAS = st.one_of(
    st.sampled_from(
        ["a / b", "a + b * 2", "(a - b) / (a + b)", "-a", "a / (b + .5)", "a / 0", "1"]
    ),
    st.text(alphabet="ab+-*/(). 012e", max_size=12),
)
_KEYS: Final[dict[str, dict[str, st.SearchStrategy[Any]]]] = {
    "count": {"of": _EVENT},
    "sum": {"of": _VALUED},
    "mean": {"of": _VALUED},
    "ratio": {"numerator": _SELECTORS, "denominator": _SELECTORS},
    "uniques": {"of": _EVENT, "unit": _DIMENSIONS},
    "quantile": {"of": _VALUED, "q": st.sampled_from([0.5, 0.95]) | st.floats(0, 1)},
    "conversion": {"start": _EVENT, "finish": _EVENT, "within": DURATIONS},
    "funnel": {"steps": st.lists(_EVENT, min_size=2, max_size=4), "within": DURATIONS},
    "retention": {"cohort": _EVENT, "returns": _EVENT, "day": st.integers(1, 40)},
    "derived": {"formula": _FORMULAS},
}
_DETECT = st.fixed_dictionaries(
    {},
    optional={
        "direction": st.sampled_from(["up", "down", "both"]),
        "min_relative_shift": st.sampled_from(["2%", "0.1%", "60%", 0.1, "0%", "200%"]),
        "min_units": st.integers(0, 10**6),
        "weight": st.floats(1e-6, 1e6) | st.integers(0, 5),
        "no_data": st.sampled_from(["alert", "ignore"]),
        "season": st.sampled_from(["auto", "none"]),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia"]),
        "accept_after": DURATIONS,
    },
)


@st.composite
def metrics(draw: st.DrawFn) -> dict[str, Any]:
    """A definition that is right more often than not."""
    kind = draw(st.sampled_from(sorted(_KEYS)))
    made: dict[str, Any] = {"name": draw(_NAMES), "kind": kind}
    for key, values in _KEYS[kind].items():
        made[key] = draw(values)
    optional = {
        "segments": st.lists(_DIMENSIONS | st.lists(_DIMENSIONS, max_size=3), max_size=3),
        "bucket": DURATIONS,
        "window": DURATIONS,
        "detect": _DETECT,
        "better": st.sampled_from(["up", "down"]),
    }
    for key in draw(st.sets(st.sampled_from(sorted(optional)), max_size=2)):
        made[key] = draw(optional[key])
    return made


_ODD = st.sampled_from(
    [
        "\t", "\n", "\r\n", "  ", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "!!python/none ", "!x ",
        "---\n", "...\n", "%YAML 9.9\n", "? ", "| ", "> ", "#", "'", '"', "\\", "<<: *a", "\u2028",
        "\x00", "\ufeff", "=", "0o17", "1_0", ".inf", ".nan", "~", "yes", "2027-13-45", "0x",
    ]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """The same with a few characters or lines lost, doubled, moved or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(start + 20, len(text))))
        if draw(st.booleans()):  # whole lines
            start = text.rfind("\n", 0, start) + 1
            stop = (text.find("\n", stop) + 1) or len(text)
        piece = text[start:stop]
        new = draw(
            st.one_of(
                st.just(""), st.just(piece * 2), st.just("  " + piece), _ODD, st.text(max_size=3)
            )
        )
        text = text[:start] + new + text[stop:]
    return text


def dumped(data: Any) -> str:
    """As YAML."""
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def bytes_of(text: str) -> bytes:
    """As a file holds it; half surrogates make it no UTF-8."""
    return text.encode("utf-8", "surrogatepass")


MONITOR_FILES: st.SearchStrategy[bytes] = st.one_of(
    st.just(MONITOR_TEXT.encode()),
    altered(MONITOR).map(dumped).map(bytes_of),
    st.sampled_from([MONITOR_TEXT, dumped(MONITOR)]).flatmap(damaged).map(bytes_of),
    VALUES.map(dumped).map(bytes_of),
)
_LISTS = st.lists(metrics(), min_size=1, max_size=4, unique_by=lambda metric: str(metric["name"]))
METRIC_FILES: st.SearchStrategy[bytes] = st.one_of(
    _LISTS.map(lambda m: dumped({"metrics": m})).map(bytes_of),
    _LISTS.map(lambda m: dumped({"metrics": m})).map(bytes_of),
    altered(METRICS).map(dumped).map(bytes_of),
    st.lists(metrics(), min_size=1, max_size=2)
    .map(lambda m: dumped({"metrics": m}))
    .flatmap(damaged)
    .map(bytes_of),
    damaged(METRICS_TEXT).map(bytes_of),
    st.sampled_from([path.read_text() for path in BAD]).flatmap(damaged).map(bytes_of),
    VALUES.map(dumped).map(bytes_of),
    st.binary(max_size=30),
)
SMALL: Final = b"metrics:\n  - {name: orders, kind: count, of: {event: order}}\n"
FILES: st.SearchStrategy[tuple[bytes, bytes]] = st.one_of(
    st.tuples(st.just(MONITOR_TEXT.encode()), METRIC_FILES),
    st.tuples(st.just(MONITOR_TEXT.encode()), METRIC_FILES),
    st.tuples(MONITOR_FILES, st.just(SMALL)),
    st.tuples(MONITOR_FILES, METRIC_FILES),
)
"""`monitor.yaml` and a file of metrics."""

ENVIRONMENTS: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just({}),
    st.just({}),
    st.dictionaries(
        st.sampled_from(
            [
                "MONITOR__ALERT_BUDGET__PAGES",
                "MONITOR__ALLOWED_LATENESS",
                "MONITOR__SOURCE__FILES",
                "MONITOR__API",
                "MONITOR__",
                "MONITOR__X__Y",
                "MONITOR_HASH_KEY",
            ]
        ),
        st.sampled_from(["", "2", "30s", "[a", "{}", "null", "*a", "\x1b", "[x, y]"])
        | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
        max_size=2,
    ),
)
