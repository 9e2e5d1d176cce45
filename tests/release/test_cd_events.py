from typing import Any

import pytest

from monitor.model.release import Status
from monitor.release.cd_events import release_body
from monitor.release.posting import Posted, read_release


def event(predicate: str = "deployed", version: str = "0.4.1", **content: Any) -> dict[str, Any]:
    """As the specification's own examples are built."""
    named = "version" if version.startswith("0.4") else "specversion"
    return {
        "context": {
            named: version,
            "id": "271069a8-fc18-44f1-b38f-9d70a1695819",
            "source": "/event/source/123",
            "type": f"dev.cdevents.service.{predicate}.0.2.0",
            "timestamp": "2026-03-20T14:27:05.315384Z",
        },
        "subject": {
            "id": "checkout",
            "source": "/event/source/123",
            "type": "service",
            "content": {
                "environment": {"id": "production"},
                "artifactId": "pkg:oci/checkout@sha256%3A0b31b1c02ff4?tag=8.3.0",
                **content,
            },
        },
    }


@pytest.mark.parametrize("version", ["0.4.1", "0.5.0"])
@pytest.mark.parametrize(
    ("predicate", "status"),
    [
        ("deployed", Status.SUCCEEDED),
        ("upgraded", Status.SUCCEEDED),
        ("rolledback", Status.ROLLED_BACK),
    ],
)
def test_a_cd_event_is_a_release(predicate: str, status: Status, version: str) -> None:
    posted = read_release(release_body(event(predicate, version)))
    assert isinstance(posted, Posted)
    assert (posted.service, posted.environment) == ("checkout", "production")
    assert (posted.version, posted.status) == ("8.3.0", status)
    assert posted.finished_us == 1_774_016_825_315_384


def test_a_structured_cloud_event_holds_it_in_data() -> None:
    bare = event()
    outer = {"specversion": "1.0", "type": bare["context"]["type"], "id": "1", "source": "/x"}
    assert release_body({**outer, "data": bare}) == release_body(bare)
    assert release_body(outer) == ["data is missing: a structured CloudEvent has the CDEvent in it"]


def test_custom_data_may_name_a_canary_and_a_scope() -> None:
    arms = {"dimension": "arm", "control": "stable", "treatment": "canary"}
    custom = {"monitor": {"arms": arms, "scope": {"metrics": ["orders"]}, "other": 1}}
    body = release_body({**event(), "customData": custom})
    assert isinstance(body, dict)
    assert body["arms"] == arms
    assert body["scope"] == {"metrics": ["orders"]}
    assert "other" not in body
    assert isinstance(release_body({**event(), "customData": "text"}), dict)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ([], "JSON object"),
        ({}, "context.type is None"),
        ({"context": {"type": "dev.cdevents.build.finished.0.2.0"}}, "dev.cdevents.service."),
        ({"context": {"type": "dev.cdevents.service.removed.0.2.0"}}, "deployed, upgraded"),
        (event(environment={}), "subject.content.environment.id is None"),
        (event(artifactId=""), "subject.content.artifactId is ''"),
        (event(artifactId=7), "subject.content.artifactId is 7"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(message: object, told: str) -> None:
    mistakes = release_body(message)
    assert isinstance(mistakes, list)
    assert told in mistakes[0]
