from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from monitor.definitions import Configuration, load
from monitor.definitions.mistake import MistakesError
from monitor.definitions.schema import Conversion, Count
from monitor.model.time import DAY, HOUR, MINUTE, SECOND
from monitor.settings import Fields, KafkaJournal

Loader = Callable[..., Configuration]

ORDERS = "metrics:\n  - {name: orders, kind: count, of: {event: order}}\n"
EVERYTHING = """
metrics:
  - {name: weekly_active_users, kind: uniques, of: {event: session}, bucket: 7d}
  - name: activation_rate
    description: New users who activate within 30 minutes of signing up.
    kind: conversion
    start: {event: signup}
    finish: {event: activate}
    within: 30m
    unit: actor
    segments: [country, platform, [country, platform]]
    bucket: 1m
    window: 1h
    tier: input
    role: leading
    heart: adoption
    better: up
    unit_name: share
    owner: growth@example.com
    review_by: 2027-02-01
    status: active
    known_limitations: Counts a device, not a person, before login.
    drives: [{metric: weekly_active_users, lag: 14d, elasticity: 0.4}]
    target: {value: 0.42, by: 2027-06-30}
    worth: {per_unit: 31.0, currency: USD, of: activated user}
    detect: {direction: both, min_relative_shift: 2%, min_units: 200, weight: 3, no_data: alert,
             season: auto, timezone: UTC, accept_after: 24h}
    alert: {severity: page, runbook_url: https://runbooks.example.com/activation}
"""
EVERY_SETTING = """
source:
  kafka: {bootstrap_servers: "localhost:9092", topic: events, group: monitor}
  fields: {event_id: id, name: type, time: ts, actor: user.id, dimensions: props, values: props}
alert_budget: {pages: 1, per: 30d}
allowed_lateness: 30s
restatement_window: 2d
max_clock_skew: 5m
idle_timeout: 1m
journal: {kafka: {prefix: monitor, shards: 8, replication: 1}}
hash_key_env: MONITOR_HASH_KEY
cardinality: {per_dimension: 50}
alertmanager: {url: "http://localhost:9093"}
grafana: {url: "http://localhost:3000", token_env: GRAFANA_TOKEN}
prometheus: {segments: all, max_series: 10000}
api: {host: 127.0.0.1, port: 8321, token_env: MONITOR_TOKEN}
"""


def mistakes(folder: Path, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(MistakesError) as caught:
        load(folder, environment=environment or {})
    return str(caught.value).replace(f"{folder}/", "").replace(str(folder), "DIR").splitlines()


class TestEveryKeyIsKept:
    def test_of_a_metric(self, loaded: Loader) -> None:
        metric = loaded(EVERYTHING).metrics[0]
        assert isinstance(metric, Conversion)
        assert metric.within == 30 * MINUTE
        assert metric.segments == (("country",), ("platform",), ("country", "platform"))
        assert (metric.window, metric.window_us) == (HOUR, HOUR)
        assert (metric.tier, metric.role, metric.heart) == ("input", "leading", "adoption")
        assert metric.review_by == date(2027, 2, 1)
        assert metric.drives[0].lag == 14 * DAY
        assert metric.target is not None
        assert metric.target.by == date(2027, 6, 30)
        assert metric.worth is not None
        assert (metric.worth.per_unit, metric.worth.of) == (31.0, "activated user")
        assert (metric.detect.min_relative_shift, metric.detect.weight) == (0.02, 3.0)
        assert metric.alert.runbook_url == "https://runbooks.example.com/activation"

    def test_of_the_service_where_every_value_shown_is_the_default(self, loaded: Loader) -> None:
        shown = loaded(ORDERS, EVERY_SETTING).settings
        bare = loaded(ORDERS, "source: {kafka:}").settings
        without: Any = {
            "source": {"fields"},
            "alertmanager": True,
            "grafana": True,
            "journal": True,
        }
        assert shown.model_dump(exclude=without) == bare.model_dump(exclude=without)
        assert shown.source.fields == Fields(
            event_id="id",
            name="type",
            time="ts",
            actor="user.id",
            dimensions="props",
            values="props",
        )
        assert shown.kafka_journal == bare.kafka_journal == KafkaJournal()
        assert (shown.allowed_lateness, shown.restatement_window) == (30 * SECOND, 2 * DAY)

    def test_only_the_paths_that_are_given(self, loaded: Loader) -> None:
        custom = "source: {synthetic: , fields: {name: type, actor: user.id}}"
        assert loaded(ORDERS, custom).fields == {"name": "type", "actor": "user.id"}
        assert loaded(ORDERS).fields == {}

    def test_defaults_of_a_metric(self, loaded: Loader) -> None:
        metric = loaded(ORDERS).metrics[0]
        assert isinstance(metric, Count)
        assert (metric.bucket, metric.window_us, metric.better) == (MINUTE, MINUTE, "up")
        assert (metric.detect.min_units, metric.detect.accept_after) == (10.0, DAY)
        assert (metric.detect.direction, metric.detect.no_data) == ("both", "alert")
        assert (metric.alert.severity, metric.status) == ("page", "active")

    def test_retention_has_buckets_of_a_day(self, loaded: Loader) -> None:
        back = "{name: back, kind: retention, cohort: {event: a}, returns: {event: b}, day: 7}"
        assert loaded(f"metrics: [{back}]").metrics[0].bucket == DAY

    def test_sqlite_where_there_is_no_broker(self, loaded: Loader) -> None:
        settings = loaded(ORDERS, "source: {files: [a.ndjson]}\njournal: {sqlite: x.db}").settings
        assert (settings.kafka_journal, settings.sqlite_path) == (None, "x.db")

    def test_the_definition_is_kept_as_written(self, loaded: Loader) -> None:
        written = loaded("metrics: [{name: a, kind: count, of: {event: b}, bucket: 5m}]").written
        assert written == {
            "a": {"name": "a", "kind": "count", "of": {"event": "b"}, "bucket": "5m"}
        }


class TestYaml:
    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("NO", ("NO",)),
            ("[yes, on]", ("on", "yes")),
            ("true", ("true",)),
            ("5.0", ("5",)),
            ("8.5", ("8.5",)),
            ("007", ("007",)),
            ("1:30", ("1:30",)),
            ("2027-01-01", ("2027-01-01",)),
            ("[b, a, b]", ("a", "b")),
        ],
    )
    def test_values_are_read_as_meant(
        self, loaded: Loader, written: str, read: tuple[str, ...]
    ) -> None:
        of = f"{{event: order, where: {{field: {written}}}}}"
        metric: Any = loaded(f"metrics: [{{name: a, kind: count, of: {of}}}]").metrics[0]
        assert metric.of.conditions == (("field", "in", read),)

    def test_anchors_and_merges(self, loaded: Loader) -> None:
        text = """
metrics:
  - &base {name: a, kind: count, of: {event: a}, owner: me, detect: {weight: 2}}
  - {<<: *base, name: b}
  - {<<: [{owner: you}, *base], name: c}
"""
        metrics = loaded(text).metrics
        assert [(m.name, m.owner, m.detect.weight) for m in metrics] == [
            ("a", "me", 2.0),
            ("b", "me", 2.0),
            ("c", "you", 2.0),
        ]

    def test_null_is_as_good_as_absent(self, loaded: Loader) -> None:
        text = "metrics: [{name: a, kind: count, of: {event: b}, owner:, detect:, segments: ~}]"
        metric = loaded(text, "source: {kafka:}\napi:\nhash_key_env: null").metrics[0]
        assert (metric.owner, metric.segments) == (None, ())

    def test_not_utf8(self, tmp_path: Path, loaded: Loader) -> None:
        loaded(ORDERS)
        (tmp_path / "metrics" / "b.yaml").write_bytes(b"metrics:\n  - name: caf\xe9\n")
        assert mistakes(tmp_path) == ["metrics/b.yaml:2: is not UTF-8 text; save the file as UTF-8"]

    def test_a_forbidden_character(self, tmp_path: Path, loaded: Loader) -> None:
        loaded(ORDERS)
        (tmp_path / "metrics" / "b.yaml").write_bytes(b"a: \x01\n")
        assert "is not allowed" in mistakes(tmp_path)[0]

    @pytest.mark.slow
    def test_absurd_nesting(self, tmp_path: Path, loaded: Loader) -> None:
        loaded(ORDERS)
        (tmp_path / "metrics" / "b.yaml").write_text("[" * 5000 + "]" * 5000)
        assert mistakes(tmp_path) == ["metrics/b.yaml:1: is nested too deeply"]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("? [a]\n: b\n", "a key must be a text"),
            ("<<: 5\n", "'<<' merges mappings only"),
        ],
    )
    def test_odd_keys(self, tmp_path: Path, loaded: Loader, text: str, told: str) -> None:
        loaded(ORDERS)
        (tmp_path / "metrics" / "b.yaml").write_text(text)
        assert any(told in line for line in mistakes(tmp_path))


class TestFolders:
    def test_none(self, tmp_path: Path) -> None:
        told = mistakes(tmp_path / "none")
        assert told == [
            "DIR: there is no such folder; `monitor init DIR` writes one, --config names another"
        ]

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "config").write_text("")
        assert mistakes(tmp_path / "config") == [
            "DIR: is a file; --config names the folder that holds monitor.yaml and metrics/"
        ]

    def test_empty(self, tmp_path: Path) -> None:
        assert mistakes(tmp_path) == [
            "metrics: there is no such folder; metrics are defined in its *.yaml",
            "monitor.yaml: is missing; write one with `source:` in it",
        ]

    def test_no_metrics_and_a_misnamed_file(self, tmp_path: Path) -> None:
        (tmp_path / "metrics").mkdir()
        (tmp_path / "monitor.yml").touch()
        told = mistakes(tmp_path)
        assert told == [
            "metrics: holds no *.yaml file; metrics are defined there",
            "monitor.yaml: is missing; rename monitor.yml",
        ]

    def test_unreadable(self, tmp_path: Path, loaded: Loader) -> None:
        loaded(ORDERS)
        (tmp_path / "metrics" / "folder.yaml").mkdir()
        assert mistakes(tmp_path) == ["metrics/folder.yaml: cannot be read: Is a directory"]

    def test_an_unreadable_service(self, tmp_path: Path, loaded: Loader) -> None:
        loaded(ORDERS)
        (tmp_path / "monitor.yaml").unlink()
        (tmp_path / "monitor.yaml").mkdir()
        assert mistakes(tmp_path) == ["monitor.yaml: cannot be read: Is a directory"]

    def test_names_are_unique_over_files(self, tmp_path: Path, loaded: Loader) -> None:
        loaded(ORDERS)
        (tmp_path / "metrics" / "more.yml").write_text(ORDERS)
        assert mistakes(tmp_path) == [
            "metrics/more.yml:2: metric 'orders': the name is taken by metrics/all.yaml:2; "
            "names are unique"
        ]

    def test_mistakes_of_every_file_at_once(self, tmp_path: Path, loaded: Loader) -> None:
        loaded(ORDERS)
        (tmp_path / "metrics" / "a.yaml").write_text("metrics: [")
        (tmp_path / "metrics" / "b.yaml").write_text("metrics: 5")
        (tmp_path / "monitor.yaml").write_text("source: 5")
        assert [line.split(":")[0] for line in mistakes(tmp_path)] == [
            "metrics/a.yaml",
            "metrics/b.yaml",
            "monitor.yaml",
        ]


class TestEnvironment:
    def test_overrides(self, loaded: Loader) -> None:
        settings = loaded(
            ORDERS,
            environment={
                "MONITOR__ALERT_BUDGET__PAGES": "2",
                "MONITOR__ALLOWED_LATENESS": "1h",
                "MONITOR__ALERTMANAGER__URL": "http://am:9093/",
                "MONITOR_TOKEN": "not an override",
            },
        ).settings
        assert settings.alert_budget.pages == 2
        assert settings.allowed_lateness == HOUR
        assert settings.alertmanager is not None
        assert settings.alertmanager.url == "http://am:9093"

    def test_a_list_as_yaml(self, loaded: Loader) -> None:
        variables = {"MONITOR__SOURCE__FILES": "[a.ndjson, b.ndjson]"}
        assert loaded(ORDERS, "{}", variables).settings.source.files == ("a.ndjson", "b.ndjson")

    def test_mistakes_name_the_variable(self, tmp_path: Path, loaded: Loader) -> None:
        loaded(ORDERS)
        assert mistakes(
            tmp_path,
            {
                "MONITOR__ALERT_BUDGET__PAGES": "many",
                "MONITOR__API__PROT": "80",
                "MONITOR__IDLE_TIMEOUT": "[",
            },
        ) == [
            "$MONITOR__ALERT_BUDGET__PAGES: alert_budget.pages 'many' is not a number",
            "$MONITOR__API__PROT: unknown key 'prot' in 'api'; did you mean 'port'?",
            "$MONITOR__IDLE_TIMEOUT:1: not valid YAML: expected the node content, "
            "but found '<stream end>'",
        ]


class TestWarnings:
    def warned(self, configuration: Configuration) -> list[str]:
        return [warning.message for warning in configuration.warnings]

    def test_none(self, loaded: Loader) -> None:
        assert self.warned(loaded(ORDERS)) == []

    def test_a_key_that_everyone_knows(self, loaded: Loader) -> None:
        users = "metrics: [{name: users, kind: uniques, of: {event: session}}]"
        assert "set MONITOR_HASH_KEY" in self.warned(loaded(users))[0]
        assert self.warned(loaded(users, environment={"MONITOR_HASH_KEY": "x"})) == []
        unset = "source: {synthetic: {}}\nhash_key_env: null"
        assert "name a variable" in self.warned(loaded(users, unset))[0]

    def test_tokens_with_names_and_scopes(self, loaded: Loader) -> None:
        api = """
            open_reads: false
            tokens:
            - {name: ci, token_env: CI_TOKEN}
            - {name: all, token_file: /run/secrets/all, scopes: [annotate, read]}"""
        settings = loaded(ORDERS, f"source: {{synthetic: {{}}}}\napi:{api}").settings
        assert [token.name for token in settings.api.tokens] == ["ci", "all"]
        assert [token.scopes for token in settings.api.tokens] == [
            ("annotate",),
            ("annotate", "read"),
        ]
        assert not settings.api.open_reads

    def test_an_open_api_without_its_token(self, loaded: Loader) -> None:
        monitor = "source: {synthetic: {}}\napi: {host: 0.0.0.0}"
        assert "will not start" in self.warned(loaded(ORDERS, monitor))[0]
        assert self.warned(loaded(ORDERS, monitor, {"MONITOR_TOKEN": "x"})) == []

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1", "[::1]"])
    def test_loopback_needs_no_token(self, loaded: Loader, host: str) -> None:
        monitor = f"source: {{synthetic: }}\napi: {{host: '{host}', token_env: null}}"
        assert self.warned(loaded(ORDERS, monitor)) == []

    def test_secrets_of_kafka_that_are_not_here(self, loaded: Loader) -> None:
        login = "mechanism: PLAIN, username: u, password_env: PW"
        monitor = f"""
            source: {{kafka: {{security: {{protocol: SASL_PLAINTEXT, {login}}}}}}}
            journal: {{kafka: {{security: {{protocol: SSL, ca_file: /no/ca.pem}}}}}}"""
        assert self.warned(loaded(ORDERS, monitor)) == [
            "source.kafka.security.password_env: the variable PW is not set here",
            "source.kafka.security: the password crosses the network as it is; use SASL_SSL",
            "journal.kafka.security.ca_file: there is no file '/no/ca.pem' here",
        ]

    def test_topics_without_kafka(self, loaded: Loader) -> None:
        monitor = "source: {files: [a]}\njournal: {kafka: {}}"
        assert "is not used" in self.warned(loaded(ORDERS, monitor))[0]

    def test_a_version_that_is_read_as_a_number(self, loaded: Loader) -> None:
        of = "{event: order, where: {version: [8.10, 8.2, '8.20'], size: {gte: 1.50}}}"
        told = self.warned(loaded(f"metrics: [{{name: a, kind: count, of: {of}}}]"))
        assert told == ["metric 'a': where: 8.10 is read as 8.1; put it in quotes if it is a text"]

    def test_what_silences_a_metric(self, loaded: Loader) -> None:
        detect = "{min_relative_shift: 60%, season: none}"
        metrics = f"metrics: [{{name: a, kind: count, of: {{event: b}}, detect: {detect}}}]"
        told = self.warned(loaded(metrics))
        assert ["silences" in line for line in told] == [True, False]
        assert "not applied yet" in told[1]
