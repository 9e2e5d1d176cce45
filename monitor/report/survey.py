"""How fast a shift is found that was tried at many times of a history: the share found by then, as SVG."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from monitor.alert.text import duration
from monitor.model.time import HOUR, MINUTE, SECOND
from monitor.report.detected import survey_in_words, volume_in_words

_WIDTH, _HEIGHT = 860, 200
_TOP, _FLOOR = 26, 166
_STEPS = (15 * MINUTE, HOUR, 4 * HOUR, 24 * HOUR, 96 * HOUR, 24 * 14 * HOUR)
"""Of the axis, which is of the square root of the time: most is found early."""


def survey_card(survey: Mapping[str, Any]) -> str:
    """One survey of `summary.json` in words and as a curve."""
    more = [volume_in_words(survey), *survey["notes"]]
    notes = "".join(f'<p class="dim">{escape(note)}</p>' for note in more if note)
    return (
        f'<section class="survey"><h3>{escape(survey["inject"])}</h3>'
        f"<p>{escape(survey_in_words(survey))}</p>{_curve(survey)}{notes}</section>"
    )


def _curve(survey: Mapping[str, Any]) -> str:
    judged: int = survey["judged"]
    horizon: float = survey["horizon_seconds"]
    if not judged:
        return ""
    told = [one["delay_seconds"] for one in survey["trials"] if one["outcome"] == "found"]
    delays = sorted(min(delay, horizon) for delay in told)

    def x(seconds: float) -> float:
        return round(_WIDTH * math.sqrt(seconds / horizon), 1)

    def y(count: int) -> float:
        return round(_FLOOR - (_FLOOR - _TOP) * count / judged, 1)

    points = [f"0,{y(0)}"]
    for i, delay in enumerate(delays):
        points += [f"{x(delay)},{y(i)}", f"{x(delay)},{y(i + 1)}"]
    points.append(f"{_WIDTH},{y(len(delays))}")
    lines = [
        f'<line x1="0" x2="{_WIDTH}" y1="{at}" y2="{at}"/><text x="2" y="{at - 4}">{label}</text>'
        for at, label in ((_FLOOR, "0 %"), (y(judged), "found: 100 %"))
    ]
    ticks = [
        f'<text class="tick" x="{x(step / SECOND)}" y="{_HEIGHT - 12}">{duration(step)}</text>'
        for step in _STEPS
        if step / SECOND < 0.95 * horizon
    ]
    label = (
        f"share of {judged} starts at which {survey['inject']} was found, by time since it began"
    )
    return (
        f'<svg class="alert curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{"".join(lines + ticks)}'
        f'<polyline class="value" points="{" ".join(points)}"/></svg>'
    )
