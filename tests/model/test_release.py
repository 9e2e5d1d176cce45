"""The release that stands beside a shift: the nearest one before it, never called a cause."""

from monitor.alert.text import release_sentence
from monitor.model.release import Scope, nearest_before
from monitor.model.time import HOUR, MINUTE
from tests.journal.examples import incident
from tests.release.told import T0, release


def near(*releases: object, metric: str = "orders", slack_us: int = MINUTE) -> str | None:
    found = nearest_before(releases, metric, T0, slack_us=slack_us)  # type: ignore[arg-type]
    return None if found is None else found["version"]


def test_the_newest_release_before_the_shift_is_named() -> None:
    old, new, after = release("1", T0 - HOUR), release("2", T0 - MINUTE), release("3", T0 + HOUR)
    assert near(old, new, after) == "2"
    assert near(after) is None
    assert near() is None


def test_one_of_more_than_six_hours_before_is_not() -> None:
    assert near(release(start_us=T0 - 6 * HOUR)) == "1"
    assert near(release(start_us=T0 - 6 * HOUR - 1)) is None


def test_one_inside_the_bucket_in_which_the_shift_starts_is_just_before_it() -> None:
    found = nearest_before([release(start_us=T0 + 1)], "orders", T0, slack_us=MINUTE)
    assert found is not None
    assert found["seconds_before"] == 0
    assert near(release(start_us=T0 + MINUTE)) is None


def test_one_that_cannot_have_touched_the_metric_is_passed_over() -> None:
    other = release("2", T0 - 1, scope=Scope(metrics=("errors",)))
    assert near(release("1", T0 - HOUR), other) == "1"


def test_the_sentence_says_where_it_was_and_claims_no_cause() -> None:
    scoped = release("8.3.0", T0 - 6 * MINUTE, scope=Scope(segments={"platform": ("android",)}))
    found = nearest_before([scoped], "orders", T0, slack_us=MINUTE)
    told = release_sentence(incident(release=found))
    assert told == "Release: 8.3.0 on android started 6 min before; no claim of cause."
    just = nearest_before([release("1", T0)], "orders", T0, slack_us=MINUTE)
    assert release_sentence(incident(release=just)) == (
        "Release: 1 on shop started just before; no claim of cause."
    )
    assert release_sentence(incident()) is None
