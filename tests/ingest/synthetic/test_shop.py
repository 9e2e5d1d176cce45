"""The shop is the same every time, and looks like a shop."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.definitions.plan import Condition, Measure
from monitor.errors import ConfigError
from monitor.ingest.synthetic import Shop
from monitor.ingest.synthetic.market import COUNTRIES, COUNTRY_SHARES, EVENTS, PLATFORMS
from monitor.ingest.synthetic.people import People
from monitor.ingest.synthetic.versions import in_use, shares
from monitor.model.time import DAY, HOUR, MINUTE
from tests.ingest.conftest import ingest_of, metric_plan, plan_of
from tests.ingest.synthetic.counting import START, Key, counted, hours, total


@pytest.fixture(scope="module")
def week() -> Counter[Key]:
    """A week of sums."""
    return hours(Shop(seed=3, start_us=START, aggregated=True), 0, 7 * 24)


@pytest.fixture(scope="module")
def evening() -> list[dict[str, Any]]:
    """Three hours of single events, decoded."""
    shop = Shop(seed=3, start_us=START + 17 * HOUR)
    return [msgspec.json.decode(line) for line in shop.lines(0, 180)]


def dispersion(numbers: list[int]) -> float:
    """Variance over mean between neighbours, which a slow season does not widen."""
    steps = [(b - a) ** 2 for a, b in pairwise(numbers)]
    return float(np.mean(steps) / 2 / np.mean(numbers))


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(
    indices=st.lists(st.integers(0, 3 * 24 * 60), min_size=1, max_size=3),
    aggregated=st.booleans(),
    seed=st.integers(0, 2**63),
)
def test_a_minute_is_the_same_whatever_was_asked_before(
    indices: list[int], aggregated: bool, seed: int
) -> None:
    one = Shop(seed=seed, start_us=START, aggregated=aggregated)
    forth = {index: one.minute(index) for index in indices}
    for index in reversed(indices):
        fresh = Shop(seed=seed, start_us=START, aggregated=aggregated)
        assert fresh.minute(index) == forth[index] == one.minute(index)


def test_another_seed_is_another_shop() -> None:
    assert Shop(seed=1, start_us=START).minute(5) != Shop(seed=2, start_us=START).minute(5)


def test_there_is_no_minute_before_the_first() -> None:
    with pytest.raises(ValueError, match="minute -1 is before"):
        Shop(seed=1, start_us=START).minute(-1)


@pytest.mark.parametrize("volume", [0.0, -1.0, float("nan"), float("inf")])
def test_a_volume_that_is_no_volume_is_refused(volume: float) -> None:
    with pytest.raises(ConfigError, match="volume"):
        Shop(seed=1, start_us=START, volume=volume)


@pytest.mark.parametrize("aggregated", [False, True])
def test_a_shop_with_hardly_a_customer_opens_all_the_same(aggregated: bool) -> None:
    shop = Shop(seed=4, start_us=DAY, aggregated=aggregated, volume=1e-6)
    lines = [msgspec.json.decode(line) for line in shop.lines(0, 120)]
    assert {line["dimensions"].get("agent") for line in lines} >= {"probe"}
    assert len(lines) < 30


def test_volume_multiplies_all_traffic() -> None:
    full = hours(Shop(seed=4, start_us=START, aggregated=True), 0, 12)
    half = hours(Shop(seed=4, start_us=START, aggregated=True, volume=0.5), 0, 12)
    for name in ("request", "order", "session"):
        ratio = total(half, name=name) / total(full, name=name)
        assert ratio == pytest.approx(0.5, rel=0.08), name


def test_every_event_occurs_in_every_segment(week: Counter[Key]) -> None:
    found = {(key.name, key.country, key.platform) for key in week}
    assert found == {(e, c, p) for e in EVENTS for c in COUNTRIES for p in PLATFORMS}


def test_countries_have_their_shares(week: Counter[Key]) -> None:
    views: Counter[str] = Counter()
    for key, count in week.items():
        views[key.country] += count * (key.name == "view")
    for country, share in zip(COUNTRIES, COUNTRY_SHARES, strict=True):
        assert views[country] / views.total() == pytest.approx(share, rel=0.05), country


def test_evenings_are_busier_than_nights_where_people_live(week: Counter[Key]) -> None:
    for country, evening_utc in (("US", 2), ("DE", 19), ("JP", 11)):
        by_hour: Counter[int] = Counter()
        for key, count in week.items():
            if key.name == "request" and key.country == country:
                by_hour[key.minute // 60 % 24] += count
        night_utc = (evening_utc + 9) % 24
        assert by_hour[evening_utc] > 1.7 * by_hour[night_utc], country


def test_saturdays_are_busier_than_tuesdays(week: Counter[Key]) -> None:
    by_day: Counter[int] = Counter()
    for key, count in week.items():
        by_day[key.minute // 1440] += count
    assert 1.04 < by_day[5] / by_day[1] < 1.2


@pytest.mark.slow
def test_the_shop_grows_slowly() -> None:
    shop = Shop(seed=5, start_us=START, aggregated=True)
    first = total(hours(shop, 0, 24), name="view")
    later = total(hours(shop, 28 * 24, 29 * 24), name="view")
    assert 1.02 < later / first < 1.07


def test_a_new_version_is_taken_up_and_fades() -> None:
    month = range(START, START + 28 * DAY, 6 * HOUR)
    for platform in range(len(PLATFORMS)):
        newest = [shares(platform, at)[0] for at in month]
        assert all(shares(platform, at).sum() == pytest.approx(1.0) for at in month)
        assert len({in_use(platform, at)[0] for at in month}) >= 3
        assert min(newest) < 0.15
        assert max(newest) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("aggregated", [False, True])
def test_the_noise_of_mass_events_is_twice_that_of_poisson(aggregated: bool) -> None:
    found = hours(Shop(seed=6, start_us=START, aggregated=aggregated), 0, 6)
    for name in ("request", "view", "order"):
        by_minute = [0] * 360
        by_country = [0] * 360
        for key, count in found.items():
            if key.name == name and 0 <= key.minute < 360:
                by_minute[key.minute] += count
                by_country[key.minute] += count * (key.country == "DE")
        assert 1.5 < dispersion(by_minute[:-8]) < 2.6, name
        assert 1.5 < dispersion(by_country[:-8]) < 2.6, name


@pytest.mark.slow
def test_sums_and_single_events_agree() -> None:
    single = hours(Shop(seed=8, start_us=START + 12 * HOUR), 0, 5)
    summed = hours(Shop(seed=8, start_us=START + 12 * HOUR, aggregated=True), 0, 5)
    for name in ("view", "cart", "checkout", "order", "request"):
        for dimension, values in (("country", COUNTRIES), ("platform", PLATFORMS)):
            for value in values:
                where = {"name": name, dimension: value}
                one, many = total(single, **where), total(summed, **where)
                # Both vary with twice the variance of Poisson.
                assert abs(one - many) < 5 * (2 * (one + many)) ** 0.5 + 0.02 * one, (name, value)
    for name in ("session", "signup", "activate"):
        assert total(single, name=name) == pytest.approx(total(summed, name=name), rel=0.01)


@pytest.mark.slow
def test_sums_and_single_events_have_the_same_durations_and_amounts() -> None:
    found: dict[tuple[bool, str], list[float]] = defaultdict(list)
    for aggregated in (False, True):
        for line in Shop(seed=8, start_us=START, aggregated=aggregated).lines(0, 180):
            event = msgspec.json.decode(line)
            for field, value in event.get("values", {}).items():
                found[aggregated, field] += [value] * event.get("count", 1)
    for share in (50, 95, 99):
        single, summed = (np.percentile(found[a, "duration_ms"], share) for a in (False, True))
        assert single == pytest.approx(summed, rel=0.06), share
    assert np.mean(found[False, "amount"]) == pytest.approx(np.mean(found[True, "amount"]), rel=0.1)
    assert np.percentile(found[False, "amount"], 99) > 4 * np.median(found[False, "amount"])


def test_an_order_follows_view_cart_and_checkout_of_the_same_actor(
    evening: list[dict[str, Any]],
) -> None:
    first: dict[str, dict[str, str]] = defaultdict(dict)
    for event in evening:
        own = first[event["actor"]]
        own[event["name"]] = min(event["time"], own.get(event["name"], "9"))
    # Visits may have begun before the first minute, and events be on their way after the last.
    day = evening[0]["time"][:11]
    buyers = [own for own in first.values() if day + "18" < own.get("order", "") < day + "19:50"]
    assert len(buyers) > 2_000
    for own in buyers:
        assert own["view"] <= own["cart"] <= own["checkout"] <= own["order"]
        took = np.datetime64(own["order"][:-1]) - np.datetime64(own["view"][:-1])
        assert took <= np.timedelta64(1, "h")


def test_about_a_fifth_of_the_visitors_with_a_view_order(evening: list[dict[str, Any]]) -> None:
    actors = {name: {e["actor"] for e in evening if e["name"] == name} for name in EVENTS}
    assert 0.15 < len(actors["order"] & actors["view"]) / len(actors["view"]) < 0.35


def test_event_ids_are_unique_but_for_a_few_repeats(evening: list[dict[str, Any]]) -> None:
    seen = Counter(event["event_id"] for event in evening)
    assert max(seen.values()) == 2
    assert 0.0001 < sum(n > 1 for n in seen.values()) / len(seen) < 0.001


def test_events_arrive_mostly_by_time(evening: list[dict[str, Any]]) -> None:
    newest, late = "", 0
    for event in evening:
        late += event["time"] < newest
        newest = max(newest, event["time"])
    assert 0.01 < late / len(evening) < 0.06


@pytest.fixture(scope="module")
def sessions() -> dict[int, set[tuple[int, int]]]:
    """Members with a session, by day."""
    people = People(seed=3, start_us=START, volume=1.0)
    found = {}
    for day in TestPeople.days:
        doings = people.doings(day * DAY, (day + 1) * DAY)["session"]
        pairs = zip(doings.cohort.tolist(), doings.member.tolist(), strict=True)
        found[day] = {(cohort, member) for cohort, member in pairs if cohort >= 0}
    return found


class TestPeople:
    days = range(START // DAY, START // DAY + 9)

    def test_some_come_back_every_day_and_more_after_a_week(
        self, sessions: dict[int, set[tuple[int, int]]]
    ) -> None:
        first = self.days[0]
        cohort = {who for who in sessions[first] if who[0] == first}
        back = [len(cohort & sessions[first + age]) / len(cohort) for age in range(9)]
        assert len(cohort) > 500
        assert back[0] == 1.0
        assert all(0.03 < share < 0.15 for share in (*back[1:7], back[8]))
        assert 0.2 < back[7] < 0.4

    def test_most_of_them_activate_within_half_an_hour(self) -> None:
        people = People(seed=3, start_us=START, volume=1.0)
        done = [people.doings(day * DAY, (day + 1) * DAY) for day in self.days]
        signed, active = (
            {
                (cohort, member): at
                for each in done
                for cohort, member, at in zip(
                    each[name].cohort.tolist(),
                    each[name].member.tolist(),
                    each[name].at.time_us.tolist(),
                    strict=True,
                )
            }
            for name in ("signup", "activate")
        )
        both = [active[who] - signed[who] for who in active.keys() & signed.keys()]
        assert min(both) > 0
        assert 0.5 < sum(wait <= 30 * MINUTE for wait in both) / len(signed) < 0.7

    def test_lines_name_them(self) -> None:
        lines = Shop(seed=3, start_us=START, aggregated=True).lines(0, 60)
        actors = [msgspec.json.decode(x)["actor"] for x in lines if b'"session"' in x]
        assert any(actor.startswith("u") for actor in actors)
        assert any(actor.startswith("v") for actor in actors)


@pytest.mark.slow
@pytest.mark.parametrize("aggregated", [False, True])
def test_ingest_takes_every_line(aggregated: bool) -> None:
    robots: tuple[Condition, ...] = (("agent", "in", ("robot", "probe")),)
    plan = plan_of(
        *(metric_plan(name, Measure(name="count", event=name)) for name in EVENTS),
        metric_plan("robots", Measure(name="count", event="request", where=robots)),
        metric_plan("revenue", Measure(name="sum", event="order", value="amount")),
    )
    ingest = ingest_of(plan)
    shop = Shop(seed=9, start_us=START, aggregated=aggregated)
    lines = list(shop.lines(0, 120))
    ingest.add_many(lines)
    flush = ingest.finish()
    assert flush.counts["accepted"] == flush.counts["read"] == len(lines)
    assert flush.dead_letters == []
    assert flush.counts["late"] < 0.002 * len(lines)
    assert aggregated or flush.counts["late"] > 0
    measured = {deltas.metric for frame in flush.frames.values() for deltas in frame.deltas}
    assert measured == {*EVENTS, "robots", "revenue"}


def test_three_weeks_of_sums_are_few_lines() -> None:
    shop = Shop(seed=7, start_us=START, aggregated=True)
    assert sum(len(shop.minute(at)) for at in range(1440)) * 21 < 2_000_000


def test_counted_reads_what_is_written() -> None:
    found = counted(Shop(seed=7, start_us=START).minute(0))
    assert {key.minute for key in found} <= {-6, -5, -4, -3, -2, -1, 0}
