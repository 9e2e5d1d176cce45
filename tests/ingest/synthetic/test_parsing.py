"""Faults on a command line: what is accepted, and what is said about the rest."""

import pytest

from monitor.errors import ConfigError
from monitor.ingest.synthetic import BadRelease, BrokenTracking, Incident, parse_fault
from monitor.model.time import MINUTE

SPAN = "@2026-11-20T14:05:00Z/80m"


def test_an_incident_is_read() -> None:
    assert parse_fault(f"incident:orders,country=DE,platform=ios:-45%{SPAN}") == Incident(
        event="order",
        where=(("country", "DE"), ("platform", "ios")),
        shift=-0.45,
        started_us=1_795_183_500_000_000,
        ended_us=1_795_183_500_000_000 + 80 * MINUTE,
    )


def test_a_bad_release_has_defaults() -> None:
    release = parse_fault(f"bad_release:android{SPAN}")
    assert isinstance(release, BadRelease)
    assert (release.version, release.errors, release.orders) == ("9.0.0", 4.0, 0.0)
    assert release.rollout_us == 3 * MINUTE


def test_broken_tracking_has_defaults() -> None:
    broken = parse_fault(f"broken_tracking:order,app_version=8.1.0{SPAN}")
    assert isinstance(broken, BrokenTracking)
    assert (broken.mode, broken.where) == ("stops", (("app_version", "8.1.0"),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no @START/DURATION; write it as incident:"),
        (f"incidnt:orders:-45%{SPAN}", "kind 'incidnt' is not one of .* did you mean 'incident'"),
        (f"incident:ordrs:-45%{SPAN}", "event 'ordrs' is not one of .*; did you mean 'order'"),
        (f"incident:orders,country=XX:-45%{SPAN}", "country 'XX' is not one of US, DE"),
        (f"incident:orders,app_version=1:-45%{SPAN}", "key 'app_version' is not one of country"),
        (f"incident:orders,country:-45%{SPAN}", "'country' is not of the form dimension=value"),
        (f"incident:orders,country=DE,country=US:-45%{SPAN}", "'country' is given twice"),
        (f"incident:orders{SPAN}", "'' is not a share such as -45%"),
        (f"incident:orders:-45{SPAN}", "'-45' is not a share"),
        (f"incident:orders:x%{SPAN}", "'x%' is not a share"),
        (f"incident:orders:nan%{SPAN}", "'nan%' is not a share"),
        (f"incident:orders:-101%{SPAN}", "shift '-101%' is not"),
        (f"incident:orders:0%{SPAN}", "shift '0%' is not"),
        (f"incident:orders:+99999%{SPAN}", "shift '.99999%' is not"),
        (
            "incident:orders:-45%@2026-11-20T14:05:00Z",
            "has no duration; write @2026-11-20T14:05:00Z/80m",
        ),
        (
            "incident:orders:-45%@2026-11-20T14:05:00/80m",
            "has no time zone; write 2026-11-20T14:05:00Z",
        ),
        ("incident:orders:-45%@yesterday/80m", "start 'yesterday' is not a time"),
        ("incident:orders:-45%@2026-11-20T14:05:00Z/80", "'80' is not a duration"),
        ("incident:orders:-45%@2026-11-20T14:05:00Z/1s", "duration '1s' is not between 1m and 90d"),
        (f"bad_release:windows{SPAN}", "platform 'windows' is not one of android, ios, web"),
        (f"bad_release:ios:4{SPAN}", "'4' after the second colon has no meaning"),
        (f"bad_release:ios,errors=many{SPAN}", "'many' is not a number"),
        (f"bad_release:ios,errors=-1{SPAN}", "errors are 0 to 100 times as many"),
        (f"bad_release:ios,orders=-200%{SPAN}", "orders change by -100% to"),
        (f"bad_release:ios,rollout=0s{SPAN}", "rollout '0s' is not between 1s and 90d"),
        (f'bad_release:ios,version="{SPAN}', "version '\"' has other characters"),
        (f"mix_shift:US:30%{SPAN}", "'US' does not say from where to where; write US>DE"),
        (f"mix_shift:US>XX:30%{SPAN}", "country 'XX' is not one of"),
        (f"mix_shift:US>US:30%{SPAN}", "needs two countries"),
        (f"mix_shift:US>DE:130%{SPAN}", "a share above 0% and at most 100%"),
        (f"mix_shift:US>DE,a=b:30%{SPAN}", "key 'a' is not one of none here"),
        (f"broken_tracking:order,mode=off{SPAN}", "mode 'off' is not one of stops, twice, late"),
        (f"broken_tracking:order,mode=late,delay=1s{SPAN}", "delay is not between 1m and 1d"),
        (f"broken_tracking:errors{SPAN}", "event 'error' is not one of"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        parse_fault(text)
    assert str(raised.value).startswith(f"fault {text!r}: ")
    assert "\n" not in str(raised.value)
