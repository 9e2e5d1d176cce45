"""Bodies are read with every mistake named; start and end may come in any order, twice, or not at all."""

import itertools
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.release import Release, Status, from_body, to_body
from monitor.model.time import HOUR, MINUTE, to_rfc3339
from monitor.release.posting import Posted, read_release
from monitor.release.resolving import Resolved, Told, resolve
from tests.release.told import T0, body, release, started


def tell(known: list[Release], now_us: int = T0, **changes: Any) -> Resolved:
    posted = read_release(body(**changes))
    assert isinstance(posted, Posted), posted
    found = resolve(posted, known, now_us)
    if found.told in {Told.NEW, Told.UPDATE}:
        known[:] = [r for r in known if r.id != found.release.id] + [found.release]
    return found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"service": None}, "service is missing"),
        ({"version": 8}, "version is 8: a text"),
        ({"status": "done"}, "status is 'done': one of started, succeeded, failed, rolled_back"),
        ({"status": ["started"]}, "status is \\['started'\\]"),
        ({"started_at": "yesterday"}, "started_at is 'yesterday': RFC 3339"),
        ({"started_at": "2026-11-21T10:00:00"}, "started_at .* with its offset"),
        ({"started_at": 5}, "started_at is 5"),
        ({"finished_at": "2026-11-21T10:00:00Z"}, "status is 'started': use succeeded"),
        ({"verison": "1"}, "'verison' is not a field of a release: use service"),
        ({"scope": "orders"}, "scope is 'orders': such as"),
        ({"scope": {"metric": ["a"]}}, "scope is"),
        ({"scope": {"segments": ["a"]}}, "scope is"),
        ({"scope": [1]}, "scope is"),
        ({"arms": {"dimension": "d", "control": "a"}}, "arms is"),
        ({"arms": {"dimension": "d", "control": "a", "treatment": "a"}}, "are both 'a'"),
        ({"url": "x" * 300}, "url is 'xxx"),
    ],
)
def test_every_mistake_names_the_field_the_value_and_the_remedy(
    changes: dict[str, Any], told: str
) -> None:
    mistakes = read_release(body(**changes))
    assert isinstance(mistakes, list)
    assert len(mistakes) == 1

    assert re.search(told, mistakes[0]), mistakes


def test_mistakes_are_told_all_at_once() -> None:
    assert len(read_release({"status": 1})) == 4  # type: ignore[arg-type]
    assert read_release([1]) == [
        "the body must be a JSON object with service, environment, version and status"
    ]


def test_an_end_before_its_start_is_a_mistake() -> None:
    times = {"started_at": to_rfc3339(T0), "finished_at": to_rfc3339(T0 - MINUTE)}
    mistakes = read_release(body(status="failed", **times))
    assert isinstance(mistakes, list)
    assert "exchange them" in mistakes[0]


def test_a_scope_may_be_a_list_of_metrics_or_one_value_of_a_dimension() -> None:
    posted = read_release(body(scope=["orders"]))
    assert isinstance(posted, Posted)
    assert posted.scope is not None
    assert posted.scope.metrics == ("orders",)
    posted = read_release(body(scope={"segments": {"platform": "ios"}}))
    assert isinstance(posted, Posted)
    assert posted.scope is not None
    assert posted.scope.segments == {"platform": ("ios",)}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_value_of_any_field_is_read_or_named(value: Any) -> None:
    for name in body(started_at="", finished_at="", url="", commit="", scope="", arms=""):
        read = read_release({**body(), name: value})
        assert isinstance(read, Posted) or all(isinstance(one, str) for one in read)


START = {"status": "started", "started_at": to_rfc3339(T0)}
END = {"status": "succeeded", "finished_at": to_rfc3339(T0 + 5 * MINUTE)}
BACK = {"status": "rolled_back", "finished_at": to_rfc3339(T0 + 20 * MINUTE)}


@pytest.mark.parametrize("order", list(itertools.permutations([START, END, START, END])))
def test_start_and_end_in_any_order_and_twice_are_one_release(order: Any) -> None:
    known: list[Release] = []
    told = [tell(known, T0 + 6 * MINUTE, **one).told for one in order]
    assert told.count(Told.NEW) == 1
    assert Told.CONFLICT not in told
    assert [(r.status, r.started_us, r.finished_us) for r in known] == [
        (Status.SUCCEEDED, T0, T0 + 5 * MINUTE)
    ]


def test_the_id_stays_whatever_is_told_later() -> None:
    known: list[Release] = []
    ids = {tell(known, T0 + HOUR, **one).release.id for one in (END, START, BACK)}
    assert len(ids) == 1
    assert known[0].rolled_back_us == T0 + 20 * MINUTE
    assert known[0].finished_us == T0 + 5 * MINUTE


def test_what_differs_is_a_conflict_and_changes_nothing() -> None:
    known = [release(url="https://a", commit="c")]
    at = to_rfc3339(T0)
    for changes in (
        {"url": "https://b"},
        {"commit": "d"},
        {"status": "failed"},
        {"status": "succeeded", "finished_at": to_rfc3339(T0 + 1)},
    ):
        found = tell(known, T0, started_at=at, **changes)
        assert found.told is Told.CONFLICT
        assert next(iter(set(changes) - {"status"}), "status") in found.detail
        assert known == [release(url="https://a", commit="c")]


def test_an_end_before_the_start_that_is_known_is_a_conflict() -> None:
    found = tell([started()], T0, status="failed", finished_at=to_rfc3339(T0 - MINUTE))
    assert found.told is Told.CONFLICT


def test_another_start_of_the_same_version_is_another_release() -> None:
    known = [release()]
    assert tell(known, T0, started_at=to_rfc3339(T0 + 1)).told is Told.NEW
    assert tell([release()], T0 + HOUR).told is Told.NEW


def test_without_a_time_the_release_under_way_is_meant() -> None:
    known = [started()]
    assert tell(known, T0 + MINUTE).told is Told.REPLAY
    found = tell(known, T0 + 3 * MINUTE, status="failed")
    assert (found.told, found.release.finished_us) == (Told.UPDATE, T0 + 3 * MINUTE)
    assert tell([started()], T0 + 48 * HOUR, status="failed").told is Told.NEW


def test_an_end_alone_is_a_release_of_its_own_and_its_repeat_is_none() -> None:
    known: list[Release] = []
    first = tell(known, T0, status="succeeded")
    assert (first.told, first.release.start_known, first.release.begin_us) == (Told.NEW, False, T0)
    assert tell(known, T0 + MINUTE, status="succeeded").told is Told.REPLAY
    assert tell(known, T0 + MINUTE).told is Told.REPLAY
    assert tell(known, T0 + 3 * HOUR, status="succeeded").told is Told.NEW


def test_a_release_is_the_same_after_a_journey_through_json() -> None:
    known: list[Release] = []
    arms = {"dimension": "v", "control": "a", "treatment": "b"}
    tell(known, T0, scope={"segments": {"p": ["x"]}}, arms=arms, url="https://u", commit="c")
    for one in (*known, release(), started(), release(rolled_back_us=T0 + 1)):
        assert from_body(msgspec.json.decode(msgspec.json.encode(to_body(one)))) == one
