import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.release import Status
from monitor.release.github import is_signed, release_body
from monitor.release.posting import Posted, read_release

SHA = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa"


def payload(state: Any, **own: Any) -> dict[str, Any]:
    """What of GitHub's payload matters, and some that does not."""
    return {
        "action": "created",
        "deployment_status": {
            "state": state,
            "created_at": "2026-11-21T10:00:00Z",
            "environment": "production",
            "log_url": "https://ci.example.com/7",
            "target_url": "",
        },
        "deployment": {
            "sha": SHA,
            "ref": "v8.3.0",
            "environment": "production",
            "payload": own,
        },
        "repository": {"name": "shop", "full_name": "example/shop"},
    }


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("in_progress", Status.STARTED),
        ("success", Status.SUCCEEDED),
        ("failure", Status.FAILED),
        ("error", Status.FAILED),
    ],
)
def test_a_status_is_a_release(state: str, status: Status) -> None:
    posted = read_release(release_body(payload(state)))
    assert isinstance(posted, Posted)
    told = (posted.service, posted.environment, posted.version, posted.status, posted.commit)
    assert told == ("shop", "production", "v8.3.0", status, SHA)
    assert (posted.started_us is None) == (status is not Status.STARTED)
    assert (posted.finished_us is None) == (status is Status.STARTED)
    assert posted.url == "https://ci.example.com/7"


@pytest.mark.parametrize("state", ["pending", "queued", "waiting", "inactive"])
def test_other_states_are_no_news(state: str) -> None:
    assert release_body(payload(state)) is None


def test_the_deployments_own_payload_names_service_version_and_canary() -> None:
    arms = {"dimension": "arm", "control": "stable", "treatment": "canary"}
    body = release_body(payload("success", service="checkout", version="9", arms=arms))
    posted = read_release(body)
    assert isinstance(posted, Posted)
    assert (posted.service, posted.version) == ("checkout", "9")
    assert posted.arms is not None


@pytest.mark.parametrize("message", [[], {}, payload("done"), payload(["success"])])
def test_what_is_wrong_is_named(message: object) -> None:
    assert isinstance(release_body(message), list)


def test_what_github_left_out_is_named_by_the_release() -> None:
    mistakes = read_release(release_body({"deployment_status": {"state": "success"}}))
    assert isinstance(mistakes, list)
    assert {text.split()[0] for text in mistakes} >= {"service", "environment", "version"}


@given(
    st.binary(max_size=200), st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=9)
)
def test_only_the_right_signature_of_the_right_bytes_holds(
    body: bytes, secret: bytes, other: bytes
) -> None:
    signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    assert is_signed(body, signature, secret)
    assert not is_signed(body + other, signature, secret)
    assert not is_signed(body, signature[:-1], secret)
    assert not is_signed(body, "é", secret)
