"""What `--inject` takes, and what it refuses."""

from dataclasses import replace

import pytest

from monitor.definitions.plan import Cohort, Followed, Form, Plan, UnitStep, own_reading
from monitor.embedded.inject import Injection, TimelessInjection, parse_injection
from monitor.errors import ConfigError
from monitor.model.time import MINUTE, to_rfc3339
from tests.embedded.plans import metric_plan, plan_of

ORDERS = metric_plan("orders", groupings=((), ("country",), ("country", "platform")))
PLAN = plan_of(
    ORDERS,
    metric_plan("plain"),
    metric_plan("users", form=Form.UNIQUES),
    metric_plan("rate", derived_from=("orders", "plain")),
    replace(
        metric_plan("paid", "ratio"),
        kind="conversion",
        cohort=Cohort(steps=(UnitStep(event="a"), UnitStep(event="b")), unit="actor"),
    ),
    replace(
        metric_plan("later", derived_from=("orders", "plain")),
        inputs=(own_reading("paid", "conversion"),),
        cohorts=(
            Followed(cohort=Cohort(steps=(UnitStep(event="a"), UnitStep(event="b")), unit="actor")),
        ),
    ),
)


def timed(text: str, plan: Plan) -> Injection:
    found = parse_injection(text, plan)
    assert isinstance(found, Injection)
    return found


def test_the_whole_of_a_metric() -> None:
    found = timed("orders:-20%@2026-10-24T14:05:30Z", PLAN)
    assert (found.metric, found.dimension, found.value) == (ORDERS, None, None)
    assert (found.shift, found.direction) == (-0.2, "down")
    assert to_rfc3339(found.at_us) == "2026-10-24T14:05:30Z"
    assert found.at_us - found.start_us == MINUTE // 2, "its bucket begins at the minute"


@pytest.mark.parametrize("value", ["DE", "a:b", "x=y", "a,b", "me@home", " "])
def test_a_segment_may_hold_any_sign(value: str) -> None:
    found = timed(f"orders,country={value}:+0.5@2026-10-24T16:05:00+02:00", PLAN)
    assert (found.dimension, found.value, found.shift) == ("country", value, 0.5)
    assert to_rfc3339(found.at_us) == "2026-10-24T14:05:00Z"


@pytest.mark.parametrize("target", ["orders", "orders,country=me@home", "orders,country=a:b"])
def test_without_a_time_it_is_tried_at_many(target: str) -> None:
    found = parse_injection(f"{target}:-20%", PLAN)
    assert isinstance(found, TimelessInjection)
    one = found.at(90 * MINUTE + 1)
    assert (one.metric, one.value, one.shift) == (ORDERS, found.value, -0.2)
    assert (one.at_us, one.start_us) == (90 * MINUTE + 1, 90 * MINUTE)


def test_a_time_without_an_offset_is_utc() -> None:
    found = timed("orders:-20%@2026-10-24T14:05", PLAN)
    assert to_rfc3339(found.at_us) == "2026-10-24T14:05:00Z"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not METRIC"),
        ("orders", "is not METRIC"),
        ("orders@2026-10-24T14:05:00Z", "is not METRIC"),
        (":-20%@2026-10-24T14:05:00Z", "is not METRIC"),
        ("orders,country:-20%@2026-10-24T14:05:00Z", "is not METRIC"),
        ("orders,=DE:-20%@2026-10-24T14:05:00Z", "is not METRIC"),
        ("ordres:-20%@2026-10-24T14:05:00Z", "no metric 'ordres'; did you mean 'orders'?"),
        ("zzz:-20%@2026-10-24T14:05:00Z", "known are later, orders, paid, plain, rate, users"),
        ("later:-20%@2026-10-24T14:05:00Z", "'later' is derived from cohorts alone"),
        ("paid:-20%@2026-10-24T14:05:00Z", "'paid' is a conversion: what its units"),
        ("rate:-20%@2026-10-24T14:05:00Z", "derived; inject into 'orders' or 'plain'"),
        ("orders,contry=DE:-20%@2026-10-24T14:05:00Z", "did you mean 'country'?"),
        ("orders,zzz=DE:-20%@2026-10-24T14:05:00Z", "by country, platform"),
        ("plain,country=DE:-20%@2026-10-24T14:05:00Z", "has no segments; leave"),
        ("orders:lots@2026-10-24T14:05:00Z", "'lots' is not a share such as -20%"),
        ("orders:nan@2026-10-24T14:05:00Z", "'nan' is not a share"),
        ("orders:0%@2026-10-24T14:05:00Z", "changes nothing"),
        ("orders:-120%@2026-10-24T14:05:00Z", "out of -100% to +10,000%"),
        ("orders:+20000%@2026-10-24T14:05:00Z", "out of -100% to +10,000%"),
        ("orders:-20%@noon", "'noon' is not a time such as"),
    ],
)
def test_what_is_refused_names_the_option_the_value_and_the_remedy(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_injection(text, PLAN)
    assert str(refused.value).startswith(f"--inject {text}: ")
    assert message in str(refused.value)
