"""Units, colours and states: how figures look, the same on every panel."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from monitor.definitions.plan import MetricPlan
from monitor.model.tick import State

_UNITS = {
    "share": "percentunit",
    "ms": "ms",
    "s": "s",
    "seconds": "s",
    "bytes": "bytes",
    "USD": "currencyUSD",
    "EUR": "currencyEUR",
    "GBP": "currencyGBP",
    "JPY": "currencyJPY",
}
"""Grafana's unit by the `unit_name` of a definition."""

ALARM = "red"
WARN = "orange"
CALM = "green"
MUTED = "#8e8e8e"
Steps = Sequence[tuple[float | None, str]]
"""Colours and the values that they begin at; the first has no value: it begins at minus infinity."""

PLAIN: Steps = ((None, "text"),)
EVIDENCE: Steps = ((None, CALM), (0.5, WARN), (1.0, ALARM))
"""Half of log A is the root of A: pending from there on."""

_STATES = {
    State.LEARNING: ("learning", "blue"),
    State.OK: ("ok", CALM),
    State.SUSPECTED: ("suspected", WARN),
    State.ALERTING: ("alerting", ALARM),
    State.NO_DATA: ("no data", "purple"),
    State.TOO_FEW_UNITS: ("too few units", MUTED),
    State.IMMATURE: ("immature", MUTED),
    State.PARTIAL: ("partial", MUTED),
    State.MEASUREMENT_MOVED: ("measurement moved", "yellow"),
}


def unit(metric: MetricPlan) -> str:
    """Grafana's unit of a metric's value; shares of people are shares without being told."""
    if metric.unit_name is None:
        return "percentunit" if metric.kind in ("conversion", "funnel", "retention") else "short"
    return _UNITS.get(metric.unit_name, "short")


def axis_label(metric: MetricPlan) -> str:
    """What Grafana's unit does not say."""
    name = metric.unit_name
    return "" if name is None or name in _UNITS else name


def state_mappings() -> list[ValueMapping]:
    """From the numbers of `promql.state_codes` to words and colours."""
    options = {
        str(state.value): ValueMappingResult(text=text, color=color, index=place)
        for place, (state, (text, color)) in enumerate(_STATES.items())
    }
    return [ValueMap(options=options)]


def thresholds(steps: Steps) -> ThresholdsConfig:
    """Colours by value."""
    levels = [Threshold(value=value, color=color) for value, color in steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(levels)


def fixed(color: str) -> FieldColor:
    """One colour, whatever the value."""
    return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(color)


def by_thresholds() -> FieldColor:
    """The colour of the threshold that was passed."""
    return FieldColor().mode(FieldColorModeId.THRESHOLDS)
