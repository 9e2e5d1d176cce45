"""What was seen of the measurement during an incident: its shares, and what stands out in words."""

import math
from collections.abc import Iterable, Mapping, Sequence

from monitor.alert import text
from monitor.definitions.plan import MetricPlan
from monitor.model.incident import DataQuality, Incident
from monitor.model.quality import Account, Cause, Seen, Share
from monitor.model.quantity import percent
from monitor.stats.exact import round_one

_ALL = "all"
WHOLE = ""
"""Among what was seen, the lines of all event names of a metric."""
_LISTED = 3


def data_quality(seen: Mapping[str, Seen], silent: Sequence[dict[str, str]]) -> DataQuality:
    """The `data_quality` of an alert.

    Args:
        seen: by event name, and of all lines of the metric.
        silent: series that fell silent, in any order: that of rows depends on how sources interleave.
    """
    whole = seen.get(WHOLE, Seen())
    found = causes(seen)
    return DataQuality(
        suspect=bool(found),
        reasons=[phrase(cause) for cause in found],
        duplicates=_known(whole.repeated),
        late=_known(whole.late),
        silent=sorted(silent, key=_whole_first),
        missing=_known(whole.incomplete),
        malformed=_known(whole.malformed),
    )


def _whole_first(place: Mapping[str, str]) -> tuple[bool, str, str]:
    return place["dimension"] != _ALL, place["dimension"], place["segment"]


def causes(seen: Mapping[str, Seen]) -> list[Cause]:
    """What is beyond what is usual, the largest excess first."""
    found: dict[Cause, None] = {}
    for event, of in seen.items():
        if event == WHOLE:
            continue
        shares = [("repeated", "", of.repeated), ("malformed", "", of.malformed)]
        shares += [("late", "", of.late), ("lost", "", of.lost)]
        shares += [("missing", field, share) for field, share in of.missing.items()]
        for kind, field, share in shares:
            if share.beyond:
                name = WHOLE if kind == "lost" else event
                found[Cause(name, kind, field, share.value, share.usual)] = None
    return sorted(found, key=lambda c: (-(c.share - c.usual), c.event, c.kind, c.field))


def phrase(cause: Cause) -> str:
    """One of them as a part of a sentence.

    >>> phrase(Cause("order", "repeated", "", 0.193, 0.001))
    '19 % of the order lines repeat event_ids seen before (usually 0.1 %)'
    >>> phrase(Cause("order", "missing", "status", 0.25, 0.0))
    '25 % of the order lines lack status (usually none)'
    """
    of = "of all events" if cause.kind == "lost" else f"of the {cause.event} lines"
    what = {
        "repeated": "repeat event_ids seen before",
        "malformed": "could not be read and are dead letters",
        "lost": "were gone before they were read",
        "late": "came late",
        "missing": f"lack {cause.field}",
    }[cause.kind]
    usual = "none" if cause.usual == 0 else percent(cause.usual)[1:]
    return f"{percent(cause.share)[1:]} {of} {what} (usually {usual})"


def listed(found: Iterable[Cause]) -> str:
    """The largest of them, in one sentence."""
    parts = [phrase(cause) for cause in found]
    more = len(parts) - _LISTED
    return ", ".join(parts[:_LISTED]) + (f" and {more} more such" if more > 0 else "")


def headline(plan: MetricPlan, incident: Incident, started_us: int, account: Account) -> str:
    """The first sentence where the measurement moved: what was seen of it, and what that amounts to."""
    why = f", and its measurement moved: {listed(account.causes)}, {_effect(account)}"
    return text.headline(plan, incident, started_us, why=why)


def _effect(account: Account) -> str:
    if account.bound:
        return f"which may by itself make up to {percent(account.effect)}"
    return f"which by itself makes {percent(account.effect)}"


def _known(share: Share) -> float | None:
    return round_one(share.value) if math.isfinite(share.value) else None
