"""Where an incident is, in one sentence: what is likely, how likely, and never a cause."""

from typing import Any

from monitor.alert.text import number
from monitor.definitions.plan import MetricPlan
from monitor.model.incident import Incident
from monitor.model.quantity import percent
from monitor.model.tick import Reason

_LISTED_SEGMENTS = 3
_MOST = 0.6
"""From this share of the change on it is called most of it."""
_MAINLY, _PARTLY = 0.5, 0.1
"""From these shares of the shift on, the mix is told first, and is told at all."""
_SDS = 2.0
"""A rate effect within so many of its standard deviations is none."""


def where_sentence(plan: MetricPlan, incident: Incident) -> str | None:
    """Which segments stand out, or that the mix moved; None where there is nothing to tell."""
    if incident.reason == Reason.NO_DATA.label or len(plan.groupings) == 1:
        return None
    segments = _segments(incident.segments)
    if incident.dimension != "all":
        first = incident.segments[0] if incident.segments else None
        inside = first is not None and first["dimension"] != incident.dimension
        return f"Where: {segments}." if inside else None
    mix, is_mainly = _mix(incident)
    if is_mainly:
        parts = [mix, segments if incident.segments else ""]
    else:
        parts = [segments or "no single segment stands out", mix]
    return f"Where: {'; '.join(part for part in parts if part)}."


def _mix(incident: Incident) -> tuple[str, bool]:
    """What the mix did, if it did anything, and whether that is most of it."""
    mix, shift = incident.mix, incident.relative_shift
    if mix is None or not shift:
        return "", False
    by, rate, size = mix["mix_effect"], mix["rate_effect"], abs(shift)
    name, moved = mix["dimension"], _moved(mix)
    if mix["simpson"]:
        way = "rose" if rate > 0 else "fell"
        return (
            f"within {name} rates {way} ({percent(rate)}), but its mix changed ({percent(by)}{moved}): "
            "the whole moved the other way than its parts",
            True,
        )
    if abs(by) >= _MAINLY * size and abs(rate) <= max(_SDS * mix["rate_effect_sd"], _PARTLY * size):
        return f"the mix of {name} changed ({percent(by)}{moved}), rates did not", True
    if by * shift > 0 and abs(by) >= _MAINLY * size:
        return (
            f"the mix of {name} changed ({percent(by)}{moved}), rates too ({percent(rate)})",
            True,
        )
    if abs(by) >= _PARTLY * size:
        return f"the mix of {name} changed as well ({percent(by)}{moved})", False
    return "", False


def _moved(mix: dict[str, Any]) -> str:
    """Whose share moved most."""
    segment, now, before = (mix.get(name) for name in ("segment", "share", "expected_share"))
    if segment is None or now is None or before is None:
        return ""
    return f"; {mix['dimension']}={segment} {100 * now:.0f} % of n instead of {100 * before:.0f} %"


def _segments(segments: list[dict[str, Any]]) -> str:
    if not segments:
        return ""
    more = len(segments) - _LISTED_SEGMENTS
    rest = f"; and {more} more" if more > 0 else ""
    named = [_named(one) for one in segments[:_LISTED_SEGMENTS]]
    confidence, share = (segments[0].get(name) for name in ("confidence", "share"))
    if confidence is None:
        return f"no single segment stands out: {'; '.join(named)}{rest}"
    also = "".join(f"; also {one}" for one in named[1:])
    much = ""
    if share is not None and share > 0:
        much = "most of it in " if share >= _MOST else f"{100 * share:.0f} % of it in "
    return f"{much}{named[0]}, {confidence} confidence{also}{rest}"


def _named(one: dict[str, Any]) -> str:
    shift, n = percent(one["relative_shift"]), number(one["n"])
    return f"{one['dimension']}={one['segment']} ({shift}, n = {n})"
