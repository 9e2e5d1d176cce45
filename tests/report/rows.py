"""Buckets and an alert, as the tests of explanations use them."""

from typing import Any

from monitor.model.bucket import BucketLine
from monitor.model.time import MINUTE, SECOND, to_rfc3339

T0 = 1_795_255_200 * SECOND
"""2026-11-21T10:00:00Z."""


def row(minute: int, **changes: Any) -> BucketLine:
    """A calm minute of `orders`: 100 of 100 expected."""
    start = T0 + minute * MINUTE
    values: dict[str, Any] = {
        "metric": "orders",
        "dimension": "all",
        "segment": "all",
        "start": to_rfc3339(start),
        "end": to_rfc3339(start + MINUTE),
        "value": 100,
        "n": 100,
        "expected": 100.0,
        "lower": 68.0,
        "upper": 132.0,
        "window_value": 6000,
        "evidence": 0.5,
        "state": "ok",
        "revision": 0,
        "measures": {},
    }
    return BucketLine(**{**values, **changes})


def alert(**changes: Any) -> dict[str, Any]:
    """A fall of `orders` from 10:10 on, found at 10:14, over at 10:30."""
    values: dict[str, Any] = {
        "alert_id": "abcd1234",
        "metric": "orders",
        "dimension": "all",
        "segment": "all",
        "direction": "down",
        "state": "resolved",
        "started_at": to_rfc3339(T0 + 10 * MINUTE),
        "detected_at": to_rfc3339(T0 + 14 * MINUTE),
        "resolved_at": to_rfc3339(T0 + 30 * MINUTE),
        "value": 60.0,
        "expected": 100.0,
        "relative_shift": -0.4,
        "interval": [-0.45, -0.35],
        "n": 1200,
        "evidence": 30.0,
        "threshold": 5.0,
        "reason": "recovered",
        "severity": "page",
        "owner": "shop@example.com",
        "segments": [],
        "mix": None,
        "release": None,
        "data_quality": {"suspect": False, "reasons": [], "silent": []},
        "summary": "orders fell by 40 %.",
        "runbook_url": "https://runbooks.example.com/orders",
    }
    return {**values, **changes}


def fall() -> list[BucketLine]:
    """The 40 minutes of that fall."""
    rows = []
    for minute in range(40):
        shifted = 10 <= minute < 30
        evidence = 0.5 if not shifted else 1.5 * (minute - 9)
        state = "alerting" if 13 <= minute < 29 else "suspected" if minute == 12 else "ok"
        rows.append(row(minute, value=60 if shifted else 100, evidence=evidence, state=state))
    return rows
