"""What a history would have been paged about, in words: for the terminal and for the page."""

from collections.abc import Mapping
from typing import Any

from monitor.alert.text import duration, number
from monitor.model.time import SECOND

_TENTH = 0.0995
"""Shares from about a tenth on are told without a decimal."""

_WORDS = {
    "already_alerting": "not told apart from an alert that the history has anyway, of that series or its whole",
    "still_learning": "not judged: still learning then",
    "no_events": "nothing to shift: no such events from then on",
    "outside_history": "not judged: outside of the history",
}


def shift_found(metric: Mapping[str, Any], horizon: str) -> str:
    """The smallest fall and rise of a metric that are found; a dash while it learns.

    Args:
        metric: an entry of `metrics` in `summary.json`.
        horizon: `1h` or `1d`.

    >>> seen = {"minimum_detectable_shift": {"1h": 0.0634}, "minimum_detectable_rise": {"1h": 0.104}}
    >>> shift_found({"learning": False, **seen}, "1h")
    '-6.3, +10 %'
    """
    fall = metric["minimum_detectable_shift"][horizon]
    rise = metric["minimum_detectable_rise"][horizon]
    told = [
        f"{sign}{_share(size)}" for sign, size in (("-", fall), ("+", rise)) if size is not None
    ]
    if not told:
        return "-" if metric["learning"] else "none"
    return f"{', '.join(told)} %"


def _share(size: float) -> str:
    return f"{100 * size:.{1 if size < _TENTH else 0}f}"


def outcome_in_words(injection: Mapping[str, Any]) -> str:
    """What became of an injection, in one sentence.

    Args:
        injection: an entry of `injections` in `summary.json`.
    """
    alert, peak = injection["alert"], injection["peak_evidence_share"]
    if alert is not None:
        place = f"{alert['dimension']}={alert['segment']}"
        where = "the whole" if alert["dimension"] == "all" else place
        kind = "paged" if injection["paged"] else "ticket"
        delay = duration(injection["delay_seconds"] * SECOND)
        return (
            f"{kind} after {delay}, by {where}: evidence 10^{alert['evidence']:.1f} against a "
            f"threshold of 10^{alert['threshold']:.1f}"
        )
    words = _WORDS.get(injection["outcome"])
    if words is not None:
        return words
    reached = "" if peak is None else f"; evidence reached {100 * peak:.0f} % of the threshold"
    return f"not found{reached}"


def survey_in_words(survey: Mapping[str, Any]) -> str:
    """How often a shift was found that was tried at many times, how fast, and what volume it takes.

    Args:
        survey: an entry of `surveys` in `summary.json`.
    """
    judged, share = survey["judged"], survey["share_paged"]
    if not judged:
        return "could not be tried"
    kind = "paged" if survey["severity"] == "page" else "ticket"
    horizon = duration(round(survey["horizon_seconds"] * SECOND))
    found = f"{kind} {100 * share:.0f} % of {judged} times within {horizon}"
    delay = survey["delay_seconds"]
    times = ", ".join(
        f"{word} {duration(delay[name] * SECOND) if delay[name] is not None else f'over {horizon}'}"
        for name, word in (("median", "median"), ("p90", "90 %"))
    )
    return f"{found}; delay: {times}"


def volume_in_words(survey: Mapping[str, Any]) -> str | None:
    """What would have to come in a bucket for the shift to be found in an hour, and in a day."""
    volume = survey["volume"]
    if volume is None:
        return None
    soon, later = volume["needed"]["1h"], volume["needed"]["1d"]
    parts = [
        f"{'to find it ' if not i else ''}in {words} {_needed(units, is_first=not i)}"
        for i, (words, units) in enumerate((("1 h", soon), ("1 d", later)))
    ]
    return f"a bucket holds about {number(volume['per_bucket'])}; {', '.join(parts)}"


def _needed(units: float | None, *, is_first: bool) -> str:
    if units is None:
        return "no volume is enough"
    return f"about {number(units)}{' are needed' if is_first else ''}"
