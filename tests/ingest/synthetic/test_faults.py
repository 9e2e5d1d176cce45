"""Each fault is seen in the counts where its truth says, and nowhere else."""

from collections import Counter
from functools import cache

import msgspec
import pytest

from monitor.errors import ConfigError
from monitor.ingest.synthetic import (
    BadRelease,
    BrokenTracking,
    Fault,
    Incident,
    MixShift,
    Shop,
    parse_fault,
)
from monitor.ingest.synthetic.market import COUNTRIES, PLATFORMS
from monitor.model.time import HOUR, MINUTE, to_rfc3339
from tests.ingest.synthetic.counting import START, Key, hours, total

OPENS = START + 12 * HOUR
AT, UNTIL = OPENS + HOUR, OPENS + 3 * HOUR
DURING = range(13 * 60, 15 * 60)
BEFORE = range(12 * 60, 13 * 60)
AFTER = range(15 * 60 + 1, 16 * 60)
BOTH = pytest.mark.parametrize("aggregated", [False, True])


@cache
def world(*faults: Fault, aggregated: bool) -> Counter[Key]:
    """Four hours of a shop; faults last from the first to the third."""
    return hours(Shop(seed=11, start_us=OPENS, faults=faults, aggregated=aggregated), 0, 4)


@pytest.fixture(scope="module", params=[False, True], ids=["single", "aggregated"])
def well(request: pytest.FixtureRequest) -> tuple[bool, Counter[Key]]:
    """Without faults."""
    return request.param, world(aggregated=request.param)


def same(one: int, other: int) -> bool:
    """Whether two counts differ by noise only (whose variance is twice that of Poisson)."""
    return (one - other) ** 2 < 25 * (2 * (one + other) + 1)


def change(found: Counter[Key], well: Counter[Key], minutes: range, **where: str) -> float:
    """The relative change of a count."""
    return total(found, minutes, **where) / total(well, minutes, **where) - 1


class TestIncident:
    fall = Incident(
        event="order", where=(("country", "DE"),), shift=-0.45, started_us=AT, ended_us=UNTIL
    )

    @pytest.mark.slow
    def test_it_is_where_and_when_it_is_said_to_be(self, well: tuple[bool, Counter[Key]]) -> None:
        aggregated, usual = well
        found = world(self.fall, aggregated=aggregated)
        assert change(found, usual, DURING, name="order", country="DE") == pytest.approx(
            -0.45, abs=0.08
        )
        for platform in PLATFORMS:
            where = {"name": "order", "country": "DE", "platform": platform}
            assert change(found, usual, DURING, **where) == pytest.approx(-0.45, abs=0.15)
        for minutes in (BEFORE, AFTER):
            one, other = (total(c, minutes, name="order", country="DE") for c in (found, usual))
            assert same(one, other)
        for country in set(COUNTRIES) - {"DE"}:
            one, other = (total(c, DURING, name="order", country=country) for c in (found, usual))
            assert same(one, other), country
        for name in ("view", "cart", "checkout", "request", "session"):
            one, other = (total(c, DURING, name=name, country="DE") for c in (found, usual))
            assert same(one, other), name

    def test_hours_without_it_are_the_same_to_the_byte(
        self, well: tuple[bool, Counter[Key]]
    ) -> None:
        aggregated, _ = well
        shop = Shop(seed=11, start_us=OPENS, faults=[self.fall], aggregated=aggregated)
        usual = Shop(seed=11, start_us=OPENS, aggregated=aggregated)
        # Visits of the hour before may end in it, those of its last hour after it.
        assert [shop.minute(at) for at in (300, 359)] == [usual.minute(at) for at in (300, 359)]
        assert shop.minute(120) != usual.minute(120)

    @pytest.mark.slow
    @pytest.mark.parametrize("event", ["session", "view", "request", "error"])
    def test_other_events_rise_and_fall_too(
        self, event: str, well: tuple[bool, Counter[Key]]
    ) -> None:
        aggregated, usual = well
        rise = Incident(event=event, shift=0.5, started_us=AT, ended_us=UNTIL)
        found = world(rise, aggregated=aggregated)
        where = {"status": "error"} if event == "error" else {"name": event}
        assert change(found, usual, DURING, **where) == pytest.approx(0.5, abs=0.1)
        assert same(total(found, BEFORE, **where), total(usual, BEFORE, **where))

    def test_all_may_be_gone(self) -> None:
        gone = Incident(event="signup", shift=-1.0, started_us=AT, ended_us=UNTIL)
        found = world(gone, aggregated=True)
        assert total(found, DURING, name="signup") == 0
        assert total(found, BEFORE, name="signup") > 0


class TestBadRelease:
    release = BadRelease(
        platform="android", version="8.99.1", errors=4.0, orders=-0.5, started_us=AT, ended_us=UNTIL
    )

    @pytest.mark.slow
    def test_its_requests_fail_and_its_orders_fall(self, well: tuple[bool, Counter[Key]]) -> None:
        aggregated, usual = well
        found = world(self.release, aggregated=aggregated)
        late = range(13 * 60 + 15, 15 * 60)
        errors = {"status": "error", "platform": "android"}
        assert change(found, usual, late, **errors) == pytest.approx(3.0, rel=0.15)
        assert change(found, usual, late, name="order", platform="android") == pytest.approx(
            -0.5, abs=0.08
        )
        on = {"name": "request", "platform": "android"}
        assert total(found, late, **on, version="8.99.1") > 0.95 * total(found, late, **on)
        assert same(total(found, late, **on), total(usual, late, **on))
        for platform in ("ios", "web"):
            for where in ({"status": "error"}, {"name": "order"}):
                one, other = (total(c, late, **where, platform=platform) for c in (found, usual))
                assert same(one, other), (platform, where)

    @pytest.mark.slow
    @BOTH
    def test_it_is_taken_up_within_minutes_and_rolled_back_at_once(self, aggregated: bool) -> None:
        found = world(self.release, aggregated=aggregated)
        by_minute = Counter({k.minute: 0 for k in found})
        for key, count in found.items():
            by_minute[key.minute] += count * (key.version == "8.99.1")
        assert by_minute[DURING.start] < by_minute[DURING.start + 10] / 3
        assert all(not n for at, n in by_minute.items() if at not in DURING)
        assert not [key for key in found if not key.version]

    @pytest.mark.parametrize("start", ["02:05", "02:39"])
    def test_another_one_on_the_platform_needs_an_hour_between(self, start: str) -> None:
        first = parse_fault("bad_release:ios,version=9.1.0@2026-11-02T01:10:00Z/30m")
        second = parse_fault(f"bad_release:ios,version=9.2.0@2026-11-02T{start}:00Z/30m")
        with pytest.raises(ConfigError, match=r"'9.2.0' on ios begins .* leave an hour"):
            Shop(seed=1, start_us=START, faults=[second, first])
        elsewhere = parse_fault(f"bad_release:web,version=9.2.0@2026-11-02T{start}:00Z/30m")
        later = parse_fault("bad_release:ios,version=9.2.0@2026-11-02T02:40:00Z/30m")
        lines = list(
            Shop(seed=1, start_us=START, faults=[first, elsewhere, later], aggregated=True).lines(
                0, 240
            )
        )
        for platform, version in (("ios", "9.1.0"), ("ios", "9.2.0"), ("web", "9.2.0")):
            text = f'"platform":"{platform}","app_version":"{version}"'.encode()
            assert any(text in line for line in lines)


class TestMixShift:
    @pytest.mark.slow
    def test_traffic_moves_and_rates_stay(self, well: tuple[bool, Counter[Key]]) -> None:
        aggregated, usual = well
        shift = MixShift(origin="US", target="DE", share=0.4, started_us=AT, ended_us=UNTIL)
        found = world(shift, aggregated=aggregated)
        settled = range(DURING.start + 20, DURING.stop)
        for name in ("view", "request", "session", "order"):
            fallen = change(found, usual, settled, name=name, country="US")
            assert fallen == pytest.approx(-0.4, abs=0.08), name
            moved = total(usual, settled, name=name, country="US") * 0.4
            gained = total(found, settled, name=name, country="DE") - total(
                usual, settled, name=name, country="DE"
            )
            assert gained == pytest.approx(moved, rel=0.3), name
            assert same(
                total(found, settled, name=name, country="GB"),
                total(usual, settled, name=name, country="GB"),
            )
            assert same(total(found, settled, name=name), total(usual, settled, name=name))


class TestBrokenTracking:
    def test_events_stop(self, well: tuple[bool, Counter[Key]]) -> None:
        aggregated, usual = well
        broken = BrokenTracking(
            event="cart", where=(("platform", "ios"),), started_us=AT, ended_us=UNTIL
        )
        found = world(broken, aggregated=aggregated)
        assert total(found, DURING, name="cart", platform="ios") == 0
        expected = usual.copy()
        for key in usual:
            if key.name == "cart" and key.platform == "ios" and key.minute in DURING:
                del expected[key]
        assert found == expected

    def test_events_come_twice_under_one_id(self) -> None:
        twice = BrokenTracking(event="order", mode="twice", started_us=AT, ended_us=UNTIL)
        shop = Shop(seed=11, start_us=OPENS, faults=[twice])
        ids = Counter(
            event["event_id"]
            for event in map(msgspec.json.decode, shop.lines(60, 120))
            if event["name"] == "order"
        )
        assert sum(ids.values()) / len(ids) > 1.95

    def test_sums_come_twice_under_one_id_too(self, well: tuple[bool, Counter[Key]]) -> None:
        aggregated, usual = well
        twice = BrokenTracking(event="order", mode="twice", started_us=AT, ended_us=UNTIL)
        found = world(twice, aggregated=aggregated)
        assert total(found, DURING, name="order") == 2 * total(usual, DURING, name="order")

    @pytest.mark.slow
    def test_events_come_late(self) -> None:
        late = BrokenTracking(
            event="order", mode="late", delay_us=90 * MINUTE, started_us=AT, ended_us=UNTIL
        )
        shop = Shop(seed=11, start_us=OPENS, faults=[late])
        usual = hours(Shop(seed=11, start_us=OPENS), 1, 5)
        assert total(hours(shop, 1, 2), range(13 * 60, 14 * 60), name="order") == 0
        arrived = hours(shop, 1, 5)
        assert total(arrived, DURING, name="order") == total(usual, DURING, name="order")

    @pytest.mark.slow
    def test_only_one_version_is_hit(self, well: tuple[bool, Counter[Key]]) -> None:
        aggregated, usual = well
        versions = {key.version for key in usual if key.platform == "android"}
        version = max(versions, key=lambda v: total(usual, platform="android", version=v))
        broken = BrokenTracking(
            event="view",
            where=(("platform", "android"), ("app_version", version)),
            started_us=AT,
            ended_us=UNTIL,
        )
        found = world(broken, aggregated=aggregated)
        own = {"name": "view", "platform": "android", "version": version}
        assert total(found, DURING, **own) == 0
        assert total(found, DURING, name="view") == total(usual, DURING, name="view") - total(
            usual, DURING, **own
        )


def test_the_truth_names_every_fault_earliest_first() -> None:
    texts = [
        "broken_tracking:order,platform=ios,mode=late,delay=20m@2026-11-04T14:05:30Z/1h",
        "mix_shift:US>DE:30%@2026-11-03T14:05:00Z/2h",
        "bad_release:android,version=8.50.0,errors=5,orders=-20%@2026-11-02T14:05:00Z/40m",
        "incident:orders,country=DE:-45%@2026-11-01T14:05:00+00:00/80m",
    ]
    assert Shop(seed=1, start_us=START, faults=list(map(parse_fault, texts))).truth() == [
        {
            "kind": "incident",
            "what": "order",
            "where": {"country": "DE"},
            "started_at": "2026-11-01T14:05:00Z",
            "ended_at": "2026-11-01T15:25:00Z",
            "size": -0.45,
        },
        {
            "kind": "bad_release",
            "what": "error",
            "where": {"platform": "android", "app_version": "8.50.0"},
            "started_at": "2026-11-02T14:05:00Z",
            "ended_at": "2026-11-02T14:45:00Z",
            "size": 5.0,
            "orders": -0.2,
        },
        {
            "kind": "mix_shift",
            "what": "traffic",
            "where": {"country": "US"},
            "started_at": "2026-11-03T14:05:00Z",
            "ended_at": "2026-11-03T16:05:00Z",
            "size": 0.3,
            "to": "DE",
        },
        {
            "kind": "broken_tracking",
            "what": "order",
            "where": {"platform": "ios"},
            "started_at": "2026-11-04T14:05:00Z",
            "ended_at": "2026-11-04T15:05:00Z",
            "size": -1.0,
            "mode": "late",
            "delay_seconds": 1200.0,
        },
    ]


def test_a_fault_lasts_whole_minutes_one_at_least() -> None:
    fault = Incident(
        event="order", shift=-0.5, started_us=AT + 59_000_000, ended_us=AT + 59_000_001
    )
    assert (fault.started_us, fault.ended_us) == (AT, AT + MINUTE)
    assert to_rfc3339(fault.ended_us) == fault.truth()["ended_at"]
