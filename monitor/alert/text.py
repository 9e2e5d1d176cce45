"""An incident in words: what moved, by how much, since when; the evidence; where; who owns it.

The first sentence must be enough at three in the morning. Nothing is called a cause.
"""

import math

from monitor.alert.ended import Earlier
from monitor.definitions.plan import MetricPlan
from monitor.definitions.quality import is_quality
from monitor.model.incident import Incident
from monitor.model.quality import Account
from monitor.model.quantity import percent
from monitor.model.tick import Reason
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, to_rfc3339

_NAMED = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
_LARGEST_NAMED = 15
_HIGH_CONFIDENCE = 2.0
"""Evidence of a hundred times the threshold (log10) is called high confidence, less medium."""


def number(value: float | None) -> str:
    """A value with as many digits as a person reads.

    >>> [number(v) for v in (0.026437, 999.7, 1234567.8, 12.5, 0.0, None)]
    ['0.0264', '1,000', '1,234,568', '12.5', '0', 'nothing']
    """
    if value is None or math.isnan(value):
        return "nothing"
    if abs(value) >= 999.5:  # noqa: PLR2004 - three digits would make 1e+03 of it
        return f"{value:,.0f}"
    return f"{value:.3g}"


def odds(log10_evidence: float) -> str:
    """Evidence as odds against noise.

    >>> odds(2.0), odds(7.2), odds(23.4)
    ('100 to 1', '16 million to 1', 'more than 10^15 to 1')
    """
    if log10_evidence > _LARGEST_NAMED:
        return f"more than 10^{_LARGEST_NAMED} to 1"
    value = 10**log10_evidence
    for size, name in _NAMED:
        if value >= size:
            return f"{value / size:,.{0 if value >= 10 * size else 1}f} {name} to 1"
    return f"{value:,.0f} to 1"


def duration(span_us: int) -> str:
    """A length of time in its two largest units.

    >>> duration(5_400_000_000), duration(42_000_000), duration(200_000_000_000)
    ('1 h 30 min', '42 s', '2 d 7 h')
    """
    for size, name, small, small_name in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", SECOND, "s"),
    ):
        if span_us >= size:
            rest = span_us % size // small
            return f"{span_us // size} {name}" + (f" {rest} {small_name}" if rest else "")
    return f"{span_us // SECOND} s"


def moment(time_us: int) -> str:
    """An instant as it stands in a sentence.

    >>> moment(1_700_000_000_000_000)
    '22:13 UTC on 2023-11-14'
    """
    text = to_rfc3339(time_us)
    return f"{text[11:16]} UTC on {text[:10]}"


def place(dimension: str, segment: str) -> str:
    """Where, for a sentence; nothing for the whole.

    >>> place("country", "DE"), place("all", "all")
    (' (country=DE)', '')
    """
    return "" if dimension == "all" else f" ({dimension}={segment})"


def summary(
    plan: MetricPlan,
    incident: Incident,
    *,
    headline: str,
    detected_us: int,
    where: str | None,
    account: Account | None = None,
    again: str | None = None,
    faded: float | None = None,
) -> str:
    """The whole alert: what moved; whether it did before; the evidence; where; owner and runbook."""
    sentences = [
        headline,
        again,
        None if faded is None else faded_sentence(faded),
        evidence_sentence(incident, detected_us, account),
        where,
        release_sentence(incident),
        contact_sentence(plan),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def headline(plan: MetricPlan, incident: Incident, started_us: int, why: str = "") -> str:
    """The first sentence: what moved, by how much against what was expected, since when.

    Args:
        plan: the metric.
        incident: of its series.
        started_us: since when.
        why: what is said of it before the figures.
    """
    what = plan.name + place(incident.dimension, incident.segment)
    if is_quality(plan.name):
        what = f"{what}, the {plan.description},"
    since = f"since {moment(started_us)}"
    unit = "" if plan.unit_name in (None, "share") else f" {plan.unit_name}"
    expected = number(incident.expected) + unit
    if incident.relative_shift is None or incident.interval is None:
        return f"{what} has moved {since}."
    verb = "fell" if incident.relative_shift < 0 else "rose"
    low, high = (percent(edge) for edge in incident.interval)
    return (
        f"{what} {verb} by {percent(abs(incident.relative_shift))[1:]} {since}{why}: "
        f"{number(incident.value)}{unit} against {expected} expected "
        f"(95 % interval {low} to {high}, n = {number(incident.n)})."
    )


def evidence_sentence(incident: Incident, detected_us: int, account: Account | None = None) -> str:
    """How sure it is, against what the alert budget asks for."""
    evidence, threshold = incident.evidence, incident.threshold
    confidence = "high" if evidence >= threshold + _HIGH_CONFIDENCE else "medium"
    if evidence < threshold:
        confidence = "low"
    needs = f"a {incident.severity} needs {odds(threshold)}"
    if account is not None:
        part = percent(min(account.explained, 1.0))[1:]
        most = "up to " if account.bound else ""
        needs = (
            f"{odds(threshold)} is needed; a ticket and no page, as the measurement accounts for "
            f"{most}{part} of the shift"
        )
    return (
        f"Evidence: {odds(evidence)} against noise, {confidence} confidence "
        f"({needs}); found at {moment(detected_us)}."
    )


def again_sentence(earlier: Earlier) -> str:
    """That an incident goes on which had resolved."""
    before = "once" if earlier.times == 1 else f"{earlier.times} times"
    return (
        f"Fired again: it began at {moment(earlier.started_us)}, has fired {before} before, "
        f"and resolved at {moment(earlier.ended_us)}."
    )


def faded_sentence(share: float) -> str:
    """Why nobody is paged for a segment of which little is left.

    >>> faded_sentence(0.031)
    'A ticket and no page: its last days held 3.1 % of the units of its best ones.'
    """
    return f"A ticket and no page: its last days held {percent(share)[1:]} of the units of its best ones."


def release_sentence(incident: Incident) -> str | None:
    """The nearest release before the shift, if there is one; being near is no cause."""
    release = incident.release
    if release is None:
        return None
    before_us = int(release["seconds_before"]) * SECOND
    when = f"{duration(before_us)} before" if before_us >= MINUTE else "just before"
    on = release.get("on") or release["service"]
    return f"Release: {release['version']} on {on} started {when}; no claim of cause."


def contact_sentence(plan: MetricPlan) -> str:
    """Who owns it and what to do."""
    owner = f"Owner: {plan.owner}." if plan.owner else "Owner: not set."
    return f"{owner} Runbook: {plan.runbook_url}" if plan.runbook_url else owner


def resolved_sentence(incident: Incident, reason: Reason, *, lasted_us: int, ended_us: int) -> str:
    """How it ended."""
    what = incident.metric + place(incident.dimension, incident.segment)
    how = {
        Reason.RECOVERED: "is back at what is expected",
        Reason.DATA_RETURNED: "has data again",
        Reason.NEW_NORMAL: "has stayed shifted for so long that this is now its normal level",
        Reason.MEASUREMENT_RETURNED: (
            "is still shifted, but its measurement no longer accounts for that: the shift is judged anew"
        ),
        Reason.DRIFT_ENDED: "no longer drifts: its last 7 days are close to the 7 before again",
        Reason.DEFINITION_CHANGED: "was redefined or removed: its incident is closed, not over",
        Reason.HISTORY_ENDED: "was still shifted where the history ended: what follows is judged anew",
        Reason.SERIES_RETIRED: "was not seen for a week: its series is retired",
    }.get(reason, "has ended")
    return f"{what} {how} ({moment(ended_us)}), {duration(lasted_us)} after the shift began."
