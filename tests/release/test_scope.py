"""Which series a release is judged by, and how they divide its alpha."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from monitor.definitions.plan import Calendar, Cohort
from monitor.model.release import Arms, Scope
from monitor.model.time import DAY, HOUR
from monitor.release.scope import (
    Place,
    compares_arms,
    is_explicit,
    is_in_scope,
    is_too_slow,
    metrics_in_scope,
    shares,
)
from tests.embedded.plans import metric_plan
from tests.release.told import release

CUT = ((), ("country",), ("platform",), ("country", "platform"))
METRIC = metric_plan("orders", groupings=CUT)


def place(*dimensions: str, segment: str = "all") -> Place:
    return Place(metric=METRIC, dimensions=dimensions, segment=segment)


def scoped(**segments: tuple[str, ...]) -> Scope:
    return Scope(segments=segments)


@pytest.mark.parametrize(
    ("scope", "where", "inside"),
    [
        (Scope(), place(), True),
        (Scope(), place("country", segment="DE"), True),
        (Scope(metrics=("revenue",)), place(), False),
        (scoped(platform=("ios", "web")), place("platform", segment="web"), True),
        (scoped(platform=("ios",)), place("platform", segment="web"), False),
        (scoped(platform=("ios",)), place(), False),
        (scoped(platform=("ios",)), place("country", segment="DE"), False),
        (scoped(platform=("ios",)), place("country", "platform", segment="DE,ios"), True),
        (
            scoped(platform=("ios",), country=("DE",)),
            place("country", "platform", segment="DE,ios"),
            True,
        ),
        (scoped(platform=("ios",), country=("DE",)), place("platform", segment="ios"), False),
        (scoped(plan=("pro",)), place(), True),
        (scoped(plan=("pro",)), place("country", segment="DE"), False),
    ],
)
def test_a_series_is_in_scope(scope: Scope, where: Place, inside: bool) -> None:
    assert is_in_scope(where, release(scope=scope)) is inside


def test_metrics_that_cannot_tell_within_a_day_are_left_out_unless_they_are_named() -> None:
    daily = replace(metric_plan("daily"), calendar=Calendar(width_us=DAY))
    week = Cohort(steps=(), unit="actor", within_us=7 * DAY)
    weekly = replace(metric_plan("weekly"), cohort=week)
    hourly = replace(metric_plan("hourly"), calendar=Calendar(width_us=HOUR))
    assert [is_too_slow(m) for m in (daily, weekly, hourly)] == [True, True, False]
    assert metrics_in_scope(release(), [daily, weekly, hourly]) == [hourly]
    named = release(scope=Scope(metrics=("daily",)))
    assert metrics_in_scope(named, [daily, weekly, hourly]) == [daily]


def test_arms_are_compared_where_a_metric_is_cut_by_their_dimension_alone() -> None:
    assert compares_arms(METRIC, Arms(dimension="country", control="a", treatment="b"))
    assert not compares_arms(METRIC, Arms(dimension="plan", control="a", treatment="b"))


@given(st.lists(st.tuples(st.booleans(), st.lists(st.booleans(), max_size=5)), max_size=4))
def test_all_shares_together_are_one_at_most(drawn: list[tuple[bool, list[bool]]]) -> None:
    places, judged = [], []
    for i, (whole, segments) in enumerate(drawn):
        metric = metric_plan(str(i), groupings=((), ("c",)))
        places.append(Place(metric=metric, dimensions=(), segment="all"))
        judged.append(whole)
        for j, segment in enumerate(segments):
            places.append(Place(metric=metric, dimensions=("c",), segment=str(j)))
            judged.append(segment)
    found = shares(places, np.array(judged, dtype=bool), release(), max(len(drawn), 1))
    assert [value > 0 for value in found.tolist()] == judged
    assert found.sum() <= 1 + 1e-12


def test_a_metric_alone_keeps_its_whole_share() -> None:
    assert shares([place()], np.array([True]), release(), 1).tolist() == [1.0]
    both = [place(), place("country", segment="DE"), place("country", segment="FR")]
    assert shares(both, np.array([True] * 3), release(), 2).tolist() == [0.25, 0.125, 0.125]


def test_the_combinations_of_a_named_segment_are_finer_than_it() -> None:
    places = [
        place("platform", segment="ios"),
        place("country", "platform", segment="DE,ios"),
        place("country", "platform", segment="FR,ios"),
    ]
    told = release(scope=scoped(platform=("ios",)))
    assert [is_explicit(one, told) for one in places] == [True, False, False]
    assert shares(places, np.array([True] * 3), told, 1).tolist() == [0.5, 0.25, 0.25]
    whole = Place(metric=metric_plan("visits"), dimensions=(), segment="all")
    assert is_explicit(whole, told), "a metric that is not cut so is judged as a whole"
