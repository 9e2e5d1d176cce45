"""What topics are made with, and what is said where they differ; needs no broker."""

import pytest

from monitor.kafka.topic_settings import differences, settings_of
from monitor.settings import KafkaJournal

DAY_MS = 24 * 3600 * 1000


def test_defaults() -> None:
    found = settings_of(KafkaJournal())
    assert found["frames"]["retention.ms"] == str(7 * DAY_MS)
    assert found["buckets"]["retention.ms"] == str(35 * DAY_MS)
    assert found["alerts"] == {"cleanup.policy": "compact", "min.insync.replicas": "1"}


@pytest.mark.parametrize(("replication", "least"), [(1, "1"), (2, "1"), (3, "2")])
def test_one_copy_may_be_away(replication: int, least: str) -> None:
    for settings in settings_of(KafkaJournal(replication=replication)).values():
        assert settings["min.insync.replicas"] == least


def test_more_settings_go_by_kafkas_names() -> None:
    journal = KafkaJournal.model_validate(
        {"min_insync_replicas": 1, "topics": {"snapshots": {"segment.bytes": 5, "a.b": True}}}
    )
    found = settings_of(journal)["snapshots"]
    assert (found["segment.bytes"], found["a.b"]) == ("5", "true")


def test_the_same_value_in_other_words_is_no_difference() -> None:
    wanted = {"cleanup.policy": "compact,delete", "min.cleanable.dirty.ratio": "0.1"}
    found = {"cleanup.policy": "delete,compact", "min.cleanable.dirty.ratio": "0.10"}
    assert list(differences("t", wanted, found)) == []
    assert list(differences("t", wanted, {})) == []  # not shown


def test_a_difference_names_topic_setting_values_and_command() -> None:
    [found] = differences("m.frames", {"retention.ms": "5"}, {"retention.ms": "6"})
    assert not found.breaks
    assert found.said("k:9092") == (
        "topic 'm.frames' has retention.ms=6, the configuration wants 5; change it with "
        "kafka-configs.sh --bootstrap-server k:9092 --alter --entity-type topics "
        "--entity-name m.frames --add-config retention.ms=5, or change journal.kafka"
    )


def test_what_would_lose_data_breaks() -> None:
    [policy] = differences("t", {"cleanup.policy": "compact"}, {"cleanup.policy": "delete"})
    [message] = differences("t", {}, {"max.message.bytes": "5000"})
    assert policy.breaks
    assert message.breaks
    assert message.wanted == "1000000"
