"""Checks inside one metric that go beyond the type of a key.

A metric may come from `partial`: whatever was wrong with it is None or its default.
"""

from collections.abc import Callable, Iterator

from monitor.definitions.mistake import Fault
from monitor.definitions.quality import PREFIX, is_quality
from monitor.definitions.schema import Funnel, Metric
from monitor.model.quantity import format_duration
from monitor.model.time import DAY, HOUR, MINUTE, SECOND

LARGEST_SHIFT = 0.5
"""Largest shift that the guard looks for (the grid in GUARD.md)."""

_MIN_STEPS = 2
_STEPS = (
    *(n * SECOND for n in (1, 2, 5, 10, 15, 20, 30)),
    *(n * MINUTE for n in (1, 2, 3, 5, 6, 10, 12, 15, 20, 30)),
    *(n * HOUR for n in (1, 2, 3, 4, 6, 8, 12, 24)),
)


def check_metric(metric: Metric) -> Iterator[Fault]:
    """Every fault of one metric by itself."""
    for check in _CHECKS:
        yield from check(metric)


def _bucket(metric: Metric) -> Iterator[Fault]:
    width = metric.bucket
    if width < SECOND:
        remedy = "is shorter than 1s"
    elif width < DAY and DAY % width:
        nearest = min(_STEPS, key=lambda step: abs(step - width))
        remedy = f"does not divide a day; {format_duration(nearest)} does"
    elif width > DAY and width % DAY:
        remedy = "is not whole days; write 1d, 2d, 7d"
    else:
        return
    yield Fault(path=("bucket",), message=f"bucket {format_duration(width)} {remedy}")


def _window(metric: Metric) -> Iterator[Fault]:
    if metric.window is not None and metric.window % metric.bucket:
        message = (
            f"window {format_duration(metric.window)} is not a multiple of the bucket, "
            f"{format_duration(metric.bucket)}"
        )
        yield Fault(path=("window",), message=message)


def _within(metric: Metric) -> Iterator[Fault]:
    within = getattr(metric, "within", None)
    if within is not None and within < metric.bucket:
        message = (
            f"within {format_duration(within)} is shorter than the bucket, "
            f"{format_duration(metric.bucket)}; lengthen one or shorten the other"
        )
        yield Fault(path=("within",), message=message)


def _segments(metric: Metric) -> Iterator[Fault]:
    seen: dict[frozenset[str], int] = {}
    for i, grouping in enumerate(metric.segments):
        text = ", ".join(grouping)
        if len(set(grouping)) < len(grouping):
            message = f"segments[{i}] [{text}] names a dimension twice"
            yield Fault(path=("segments", i), message=message)
        elif frozenset(grouping) in seen:
            message = f"segments[{i}] {text!r} is the same as segments[{seen[frozenset(grouping)]}]"
            yield Fault(path=("segments", i), message=message)
        seen.setdefault(frozenset(grouping), i)
        if isinstance(metric, Funnel) and "step" in grouping:
            message = (
                f"segments[{i}] 'step' is the dimension of a funnel's steps; take another name"
            )
            yield Fault(path=("segments", i), message=message)


def _steps(metric: Metric) -> Iterator[Fault]:
    steps = getattr(metric, "steps", None)
    if steps is not None and len(steps) < _MIN_STEPS:
        message = f"steps has {len(steps)}; a funnel needs two at least"
        yield Fault(path=("steps",), message=message)


def _always_one(metric: Metric) -> Iterator[Fault]:
    for part, whole in (("numerator", "denominator"), ("finish", "start")):
        selector = getattr(metric, part, None)
        if selector is not None and selector == getattr(metric, whole, None):
            message = f"{part} is the same as {whole}, so that the value is always 1"
            yield Fault(path=(part,), message=message)


def _status(metric: Metric) -> Iterator[Fault]:
    if metric.status == "deprecated" and metric.successor is None:
        message = "a deprecated metric needs 'successor: NAME', the metric to use instead"
        yield Fault(path=("status",), message=message)
    if metric.status == "active" and metric.successor is not None:
        message = f"successor {metric.successor!r} belongs to 'status: deprecated'; write it or remove the successor"
        yield Fault(path=("successor",), message=message)


def _reserved(metric: Metric) -> Iterator[Fault]:
    if is_quality(metric.name or ""):
        message = (
            f"names that begin with {PREFIX!r} are those of the built-in metrics of the measurement; "
            "take another name"
        )
        yield Fault(path=("name",), message=message)


_CHECKS: tuple[Callable[[Metric], Iterator[Fault]], ...] = (
    _bucket,
    _window,
    _within,
    _segments,
    _steps,
    _always_one,
    _status,
    _reserved,
)


def doubts(metric: Metric) -> Iterator[Fault]:
    """What is allowed, but hardly meant."""
    shift = metric.detect.min_relative_shift
    if shift >= LARGEST_SHIFT:
        message = f"detect.min_relative_shift {shift:g} silences the metric: the largest shift looked for is {LARGEST_SHIFT:.0%}"
        yield Fault(path=("detect", "min_relative_shift"), message=message)
    if metric.detect.season == "none":
        message = "detect.season 'none' is not applied yet; the weekly profile stays on"
        yield Fault(path=("detect", "season"), message=message)
