"""A shift that was tried at many times, in words and as a curve."""

from typing import Any

import pytest

from monitor.report.detected import survey_in_words, volume_in_words
from monitor.report.survey import survey_card


def survey(**changes: Any) -> dict[str, Any]:
    trials = [
        {"at": f"2026-01-0{i}T00:00:00Z", "outcome": outcome, "delay_seconds": delay}
        for i, (outcome, delay) in enumerate(
            [("found", 3600), ("found", 14_400), ("not_found", None), ("already_alerting", None)], 1
        )
    ]
    return {
        "inject": "orders:-20%", "severity": "page", "horizon_seconds": 86_400.0, "judged": 3,
        "share_paged": 2 / 3, "delay_seconds": {"median": 14_400, "p90": None}, "trials": trials,
        "volume": {"per_bucket": 100.0, "needed": {"1h": 1200.0, "1d": None}}, "notes": ["a < b"],
        **changes,
    }  # fmt: skip


def test_in_words() -> None:
    assert survey_in_words(survey()) == (
        "paged 67 % of 3 times within 1 d; delay: median 4 h, 90 % over 1 d"
    )
    assert survey_in_words(survey(severity="ticket")).startswith("ticket 67 %")
    assert survey_in_words(survey(judged=0, share_paged=None)) == "could not be tried"
    assert volume_in_words(survey()) == (
        "a bucket holds about 100; to find it in 1 h about 1,200 are needed, in 1 d no volume is enough"
    )
    assert volume_in_words(survey(volume=None)) is None


def test_the_curve_rises_at_each_delay_and_names_are_text() -> None:
    card = survey_card(survey(inject="orders,country=<b>:-20%"))
    assert "<b>" not in card
    assert "&lt;b&gt;" in card
    assert "a &lt; b" in card
    points = card.split('points="')[1].split('"')[0].split()
    heights = [float(point.split(",")[1]) for point in points]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 3, "two steps"
    assert heights[0] - heights[-1] == pytest.approx(140 * 2 / 3, abs=0.2)


def test_there_is_no_curve_where_nothing_was_tried() -> None:
    assert "<svg" not in survey_card(survey(judged=0, share_paged=None, trials=[]))
