"""The verdict is a pure function of what the shards emitted, and nothing passes in silence."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.definitions.plan import MetricPlan
from monitor.model.release import Arms
from monitor.release.evidence import MetricEvidence, Note, SeriesEvidence, nothing
from monitor.release.line import Outcome
from monitor.release.verdict import Verdict, judge
from monitor.release.words import WORDS
from tests.embedded.plans import metric_plan
from tests.release.told import release, started

ORDERS, ERRORS = metric_plan("orders"), replace(metric_plan("errors", "ratio"), better="down")


def series(**changes: Any) -> SeriesEvidence:
    fields: dict[str, Any] = {
        "dimension": "all",
        "segment": "all",
        "up": -1.0,
        "down": -1.0,
        "share": 0.5,
        "effect": -0.01,
        "interval": (-0.03, 0.01),
        "n": 1000.0,
        "mde": 0.05,
        "buckets": 60,
        **changes,
    }
    return SeriesEvidence(**fields)


def said(metric: MetricPlan, *listed: SeriesEvidence, **changes: Any) -> MetricEvidence:
    return MetricEvidence(
        release=release().id,
        metric=metric.name,
        better=metric.better,
        as_of="2026-01-01T00:00:00Z",
        series=list(listed),
        **changes,
    )


def verdict(*emitted: MetricEvidence, **changes: Any) -> Verdict:
    told = changes.pop("told", release())
    metrics = changes.pop("metrics", [ORDERS, ERRORS])
    return judge(told, {one.metric: one for one in emitted}, metrics, **changes)


CALM = said(ORDERS, series())


@pytest.mark.parametrize(
    ("metric", "changes", "outcome"),
    [
        (ORDERS, {"down": 2.5}, Outcome.REGRESSED),
        (ORDERS, {"up": 2.5}, Outcome.IMPROVED),
        (ERRORS, {"up": 2.5}, Outcome.REGRESSED),
        (ERRORS, {"down": 2.5}, Outcome.IMPROVED),
        (ORDERS, {"up": 9.0, "down": 2.5}, Outcome.REGRESSED),
        (ORDERS, {"down": 2.2}, Outcome.INCONCLUSIVE),
        (ORDERS, {"mde": 0.11}, Outcome.INCONCLUSIVE),
        (ORDERS, {"mde": None}, Outcome.INCONCLUSIVE),
        (ORDERS, {"buckets": 2}, Outcome.INCONCLUSIVE),
        (ORDERS, {}, Outcome.NO_EFFECT),
    ],
)
def test_a_metric_is_judged_by_what_is_better(
    metric: MetricPlan, changes: dict[str, Any], outcome: Outcome
) -> None:
    other = ERRORS if metric is ORDERS else ORDERS
    found = verdict(said(metric, series(**changes)), said(other, series()))
    assert {line.metric: line.verdict for line in found.metrics}[metric.name] is outcome
    assert found.verdict is outcome


def test_together_two_need_less_than_each_alone() -> None:
    both = verdict(said(ORDERS, series(down=2.1)), said(ERRORS, series(up=2.05)))
    assert [line.verdict for line in both.metrics] == [Outcome.REGRESSED] * 2
    assert [line.threshold for line in both.metrics] == [pytest.approx(2.0)] * 2
    alone = verdict(said(ORDERS, series(down=2.1)), said(ERRORS, series()))
    assert alone.verdict is Outcome.INCONCLUSIVE
    assert alone.metrics[0].reason is Note.EVIDENCE_GROWING


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"blocked": Note.LEARNING}, Note.LEARNING),
        ({"blocked": Note.INCIDENT_AT_START, "down": 30.0}, Note.INCIDENT_AT_START),
        ({"skipped": {Note.BAD_DATA_QUALITY: 1}}, Note.BAD_DATA_QUALITY),
        ({"skipped": {Note.NO_DATA: 60}}, Note.NO_DATA),
        ({"skipped": {Note.TOO_FEW_UNITS: 90}}, Note.TOO_FEW_UNITS),
        ({"buckets": 0, "skipped": {Note.NO_DATA: 3}}, Note.NO_DATA),
        ({"buckets": 0, "mde": None}, Note.NO_BUCKET),
        ({"buckets": 2}, Note.TOO_EARLY),
        ({"mde": 0.2}, Note.MDE_TOO_LARGE),
    ],
)
def test_what_could_not_be_judged_is_inconclusive_with_its_reason(
    changes: dict[str, Any], reason: Note
) -> None:
    found = verdict(said(ORDERS, series(**changes)), said(ERRORS, series()))
    assert (found.metrics[0].verdict, found.metrics[0].reason) == (Outcome.INCONCLUSIVE, reason)
    assert found.verdict is Outcome.INCONCLUSIVE
    assert WORDS[reason] in found.summary


def test_a_metric_of_which_nothing_was_heard_is_named() -> None:
    found = verdict(CALM)
    assert [(line.metric, line.reason) for line in found.metrics] == [
        ("orders", Note.WITHIN_MDE),
        ("errors", Note.NO_BUCKET),
    ]
    assert found.verdict is Outcome.INCONCLUSIVE


def test_what_was_passed_over_in_part_stands_in_the_notes() -> None:
    found = verdict(said(ORDERS, series(skipped={Note.NO_DATA: 2}), notes=[Note.TOLD_LATE]))
    assert found.metrics[0].verdict is Outcome.NO_EFFECT
    assert found.metrics[0].notes == [Note.NO_DATA, Note.TOLD_LATE]
    assert "buckets had closed" in found.summary


def test_other_releases_and_an_end_that_was_not_told_are_named() -> None:
    other = release("9", service="search")
    found = verdict(CALM, told=started(), others=[other], metrics=[ORDERS])
    assert found.metrics[0].notes == [Note.OTHER_RELEASES, Note.NOT_FINISHED]
    assert [one["service"] for one in found.other_releases] == ["search"]
    assert "Going on at the same time: search 9 (prod)." in found.summary
    assert "judged from its start" in found.summary


def test_without_arms_it_says_that_nothing_was_randomised() -> None:
    arms = Arms(dimension="v", control="a", treatment="b")
    plain, canary = verdict(CALM), verdict(CALM, told=release(arms=arms))
    assert (plain.randomised, canary.randomised) == (False, True)
    assert "Not randomised" in plain.summary
    assert "Not randomised" not in canary.summary


def test_the_gate_does_not_see_late_evidence() -> None:
    late = said(ORDERS, series(down=9.0), gate=[series()])
    assert verdict(late, metrics=[ORDERS]).verdict is Outcome.REGRESSED
    assert verdict(late, metrics=[ORDERS], gate=True).verdict is Outcome.NO_EFFECT
    assert verdict(said(ORDERS, series(down=9.0)), gate=True).verdict is Outcome.REGRESSED


def test_no_metric_in_scope_is_no_pass() -> None:
    found = verdict(metrics=[])
    assert found.verdict is Outcome.INCONCLUSIVE
    assert "No metric is in its scope" in found.summary


def test_the_summary_tells_what_moved_and_what_would_have_been_seen() -> None:
    moved = verdict(
        said(ORDERS, *(series(down=9.0, segment=str(i), dimension="c") for i in range(5))),
        metrics=[ORDERS],
    )
    assert "orders (c=0) -1.0 % (95 % interval -3.0 % to +1.0 %)" in moved.summary
    assert "and 2 more" in moved.summary
    calm = verdict(CALM, metrics=[ORDERS])
    assert "no effect; one of 5.0 % or more would have been seen" in calm.summary
    bare = verdict(said(ORDERS, series(down=9.0, effect=None)), metrics=[ORDERS])
    assert "regressed. orders." in bare.summary


def test_every_reason_of_no_verdict_has_words() -> None:
    spoken = {Note.SHIFT, Note.WITHIN_MDE, Note.OTHER_RELEASES}
    assert set(Note) - spoken == WORDS.keys()


def test_nothing_is_an_entry_that_is_not_judged() -> None:
    found = verdict(said(ORDERS, nothing(Note.ARMS_NEED_A_RATE)), metrics=[ORDERS])
    assert found.metrics[0].reason is Note.ARMS_NEED_A_RATE
    assert found.metrics[0].evidence == 0
