"""The sentence of where: what is likely, how likely, and never a cause."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from monitor.alert.lifecycle import Incidents
from monitor.alert.where import where_sentence
from monitor.model.incident import Incident
from monitor.model.tick import Reason
from tests.alert.test_lifecycle import PLAN, only, step


def incident(**changes: Any) -> Incident:
    fired = only(step(Incidents(), 1, open=True, reason=Reason.SHIFT, log_m=12.0))
    return msgspec.structs.replace(fired, **changes)


def told(**changes: Any) -> str | None:
    return where_sentence(PLAN, incident(**changes))


def one(
    segment: str, confidence: str | None, share: float | None = 0.9, **more: Any
) -> dict[str, Any]:
    return {
        "dimension": "platform", "segment": segment, "relative_shift": -0.48, "n": 1203.0,
        "share": share, "confidence": confidence, **more,
    }  # fmt: skip


def mix(rate: float, by: float, *, simpson: bool = False) -> dict[str, Any]:
    return {
        "dimension": "country", "rate_effect": rate, "mix_effect": by, "simpson": simpson,
        "rate_effect_sd": 0.01, "segment": "DE", "share": 0.35, "expected_share": 0.2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Where: no single segment stands out."),
        (
            {"segments": [one("android", "medium")]},
            "Where: most of it in platform=android (-48 %, n = 1,203), medium confidence.",
        ),
        (
            {"segments": [one("android", "low", 0.31)]},
            "Where: 31 % of it in platform=android (-48 %, n = 1,203), low confidence.",
        ),
        (
            {"segments": [one("android", "high", None), one("ios", "high")]},
            "Where: platform=android (-48 %, n = 1,203), high confidence; "
            "also platform=ios (-48 %, n = 1,203).",
        ),
        (
            {"segments": [one(name, None) for name in "abcde"]},
            "Where: no single segment stands out: platform=a (-48 %, n = 1,203); "
            "platform=b (-48 %, n = 1,203); platform=c (-48 %, n = 1,203); and 2 more.",
        ),
        (
            {"mix": mix(-0.01, -0.39)},
            "Where: the mix of country changed (-39 %; country=DE 35 % of n instead of 20 %), "
            "rates did not.",
        ),
        (
            {"mix": mix(-0.15, -0.25)},
            "Where: the mix of country changed (-25 %; country=DE 35 % of n instead of 20 %), "
            "rates too (-15 %).",
        ),
        (
            {"mix": mix(0.1, -0.5, simpson=True)},
            "Where: within country rates rose (+10 %), but its mix changed (-50 %; country=DE 35 % of "
            "n instead of 20 %): the whole moved the other way than its parts.",
        ),
        (
            {"mix": mix(-0.35, -0.05), "segments": [one("android", "high")]},
            "Where: most of it in platform=android (-48 %, n = 1,203), high confidence; "
            "the mix of country changed as well (-5.0 %; country=DE 35 % of n instead of 20 %).",
        ),
        ({"mix": mix(-0.4, 0.001)}, "Where: no single segment stands out."),
        ({"reason": "no_data"}, None),
        ({"dimension": "platform", "segments": [one("android", "high")]}, None),
        (
            {"dimension": "country", "segments": [one("android", "high")]},
            "Where: most of it in platform=android (-48 %, n = 1,203), high confidence.",
        ),
    ],
)
def test_it_says_what_is_known(changes: dict[str, Any], sentence: str | None) -> None:
    assert told(**changes) == sentence


def test_it_is_left_out_of_a_metric_without_segments() -> None:
    assert where_sentence(replace(PLAN, groupings=((),)), incident()) is None
