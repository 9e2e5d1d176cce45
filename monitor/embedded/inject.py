"""`--inject METRIC[,dim=value]:SHIFT[@TIME]`: what is asked for, checked against the definitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.definitions.calendar import bucket_start
from monitor.definitions.mistake import did_you_mean
from monitor.definitions.plan import MetricPlan, Plan
from monitor.errors import ConfigError
from monitor.model.quantity import parse_share
from monitor.model.time import from_datetime, to_rfc3339

LARGEST = 100.0
"""A rise by more than this many times is taken for a slip of the pen."""
_SHAPE = "METRIC[,dim=value]:SHIFT[@TIME], such as orders,country=DE:-20%@2026-10-24T14:05:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A shift to put into a history.

    Attributes:
        text: as it was asked for.
        metric: which.
        dimension: of the series that shifts; None for the whole metric.
        value: of the dimension.
        shift: relative, from -1 (nothing is left) on.
        at_us: when it begins.
        start_us: start of the metric's bucket that holds `at_us`: that is where it begins.
    """

    text: str
    metric: MetricPlan
    dimension: str | None
    value: str | None
    shift: float
    at_us: int
    start_us: int

    @property
    def direction(self) -> str:
        """`up` or `down`."""
        return "up" if self.shift > 0 else "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelessInjection:
    """A shift to put into a history at many times.

    Attributes:
        text, metric, dimension, value, shift: as in `Injection`.
    """

    text: str
    metric: MetricPlan
    dimension: str | None
    value: str | None
    shift: float

    def at(self, at_us: int, text: str | None = None) -> Injection:
        """The injection at one time."""
        return Injection(
            text=text or f"{self.text}@{to_rfc3339(at_us)}",
            metric=self.metric,
            dimension=self.dimension,
            value=self.value,
            shift=self.shift,
            at_us=at_us,
            start_us=bucket_start(self.metric.calendar, at_us),
        )


def parse_injection(text: str, plan: Plan) -> Injection | TimelessInjection:
    """The injection that a text asks for.

    Raises:
        ConfigError: it has another shape, or names a metric, dimension, shift or time that is none.
    """
    before, at, time = text.rpartition("@")
    if not _is_time(time) and "@" not in text.rpartition(":")[2]:
        before, at, time = text, "", ""
    target, colon, size = before.rpartition(":")
    name, comma, pair = target.partition(",")
    dimension, equals, value = pair.partition("=")
    if not (colon and name) or (comma and not (dimension and equals and value)):
        raise _error(text, f"is not {_SHAPE}")
    if "=" in value and "," in value and not value.startswith('"'):
        raise _error(text, "names more than one dimension; write one, its combinations follow")
    metric = _metric(text, name.strip(), plan)
    if comma:
        _check_dimension(text, metric, dimension.strip())
    timeless = TimelessInjection(
        text=text,
        metric=metric,
        dimension=dimension.strip() if comma else None,
        value=value if comma else None,
        shift=_shift(text, size.strip()),
    )
    return timeless.at(_time(text, time.strip()), text) if at else timeless


def _metric(text: str, name: str, plan: Plan) -> MetricPlan:
    known = {metric.name: metric for metric in plan.metrics}
    if name not in known:
        remedy = did_you_mean(name, known) or f"; known are {', '.join(known)}"
        raise _error(text, f"there is no metric '{name}'{remedy}")
    metric = known[name]
    if metric.cohort is not None:
        problem = f"is a {metric.kind}: what its units would have done is not known"
        raise _error(text, f"metric '{name}' {problem}; inject into a metric of another kind")
    if metric.tree is not None:
        of_units = {of.first for of in metric.followed}
        inputs = " or ".join(f"'{one.metric}'" for one in metric.inputs if one.x not in of_units)
        if not inputs:
            problem = "is derived from cohorts alone: what their units would have done is not known"
            raise _error(text, f"metric '{name}' {problem}; inject into a metric of another kind")
        raise _error(text, f"metric '{name}' is derived; inject into {inputs}, and it follows")
    return metric


def _check_dimension(text: str, metric: MetricPlan, dimension: str) -> None:
    known: Sequence[str] = list(dict.fromkeys(d for group in metric.groupings for d in group))
    if dimension in known:
        return
    if not known:
        raise _error(text, f"metric '{metric.name}' has no segments; leave ',{dimension}=...' out")
    remedy = did_you_mean(dimension, known) or f"; its segments are by {', '.join(known)}"
    raise _error(text, f"metric '{metric.name}' has no segments by '{dimension}'{remedy}")


def _shift(text: str, size: str) -> float:
    try:
        shift = parse_share(size if size.endswith("%") else float(size))
    except ValueError:
        raise _error(text, f"shift {size!r} is not a share such as -20% or +30%") from None
    if shift == 0:
        raise _error(text, f"shift {size!r} changes nothing; write one such as -20% or +30%")
    if not -1 <= shift <= LARGEST:
        bounds = f"-100% to +{100 * LARGEST:,.0f}%"
        raise _error(text, f"shift {size!r} is out of {bounds}; write one such as -20% or +30%")
    return shift


def _is_time(time: str) -> bool:
    try:
        datetime.fromisoformat(time.strip())
    except ValueError:
        return False
    return True


def _time(text: str, time: str) -> int:
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        remedy = "is not a time such as 2026-10-24T14:05:00Z"
        raise _error(text, f"{time!r} {remedy}") from None
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _error(text: str, problem: str) -> ConfigError:
    return ConfigError(f"--inject {text}: {problem}")
