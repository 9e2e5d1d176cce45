"""What a history would have been paged about, in words: for the terminal and for the page."""

from collections.abc import Mapping
from typing import Any

from monitor.alert.text import duration
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
    """The smallest shift of a metric that is found; a dash while it learns, ? where nobody knows.

    Args:
        metric: an entry of `metrics` in `summary.json`.
        horizon: `1h` or `1d`.

    >>> shift_found({"learning": False, "minimum_detectable_shift": {"1h": 0.0634}}, "1h")
    '6.3 %'
    """
    if horizon not in metric["minimum_detectable_shift"]:
        return "?"
    share = metric["minimum_detectable_shift"][horizon]
    if share is None:
        return "-" if metric["learning"] else "none"
    return f"{100 * share:.{1 if share < _TENTH else 0}f} %"


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
