from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from monitor.api.page import render
from monitor.api.sparkline import sparkline
from monitor.journal.records import closed_columns, records
from monitor.journal.store import Store
from monitor.model.time import MINUTE
from tests.journal.examples import NAN, T0, changed, closed, incident, plan, resolved

_VOID = {"meta", "br", "wbr"}


class Checked(HTMLParser):
    """Reads the page, and insists that every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "monitor.db")


def shown(store: Store, *reasons: str) -> Checked:
    return Checked(render(store, plan(), now_us=T0 + 10 * MINUTE, reasons=reasons))


def test_before_anything_happened(store: Store) -> None:
    page = shown(store, "ingest has not started")
    assert "Not ready: ingest has not started" in page.text
    assert page.text.count("no bucket has closed yet") == 3  # the banner and two metrics


def test_a_quiet_service(store: Store) -> None:
    quiet = closed(state=np.array([1, 1, 1, 1], np.int8))
    store.commit(records(quiet) + records(closed(T0 + MINUTE, state=quiet.state)))
    page = shown(store)
    assert "No alert is firing" in page.text
    assert "newest bucket ended 8 min ago" in page.text
    assert "25 %" in page.text  # a share
    assert "1 h: 700, n = 12" in page.text
    assert page.seen.count("svg") == 2


def test_what_fires_comes_with_its_text_and_runbook(store: Store) -> None:
    store.commit(records(closed()))
    for state in (incident("a1"), resolved("a0", dimension="country", segment="DE")):
        store.commit(records(changed(state)))
    page = shown(store)
    assert "1 alert firing" in page.text
    assert "0.25 against an expected 0.125" in page.text
    assert "Began 10 min ago, found 5 min ago" in page.text
    assert "https://runbooks.example.com/errors" in page.links
    assert "1 segment: DE" in page.text
    assert "Lately over" in page.text
    assert "errors (country=DE)" in page.text


def test_it_is_one_file_that_loads_nothing(store: Store) -> None:
    store.commit(records(closed()) + records(changed(incident())))
    page = shown(store)
    assert {"script", "img", "link", "iframe"}.isdisjoint(page.seen)
    outside = [link for link in page.links if not link.startswith("/")]
    assert outside == ["https://runbooks.example.com/errors"]


def test_text_from_events_and_configuration_is_no_markup(store: Store) -> None:
    hostile = "<script>alert('x')</script>"
    made = incident(
        dimension="country",
        segment=hostile,
        summary=hostile,
        reason=hostile,
        severity='page" onclick="x',
        runbook_url="javascript:alert(1)",
    )
    store.commit(records(changed(made)) + records(changed(resolved("a2", segment=hostile))))
    page = shown(store)
    assert "script" not in page.seen
    assert hostile in page.text
    assert not [link for link in page.links if link.startswith("javascript")]


def test_a_chart_has_a_line_for_each_stretch_without_a_gap() -> None:
    values = (0.1, 0.2, NAN, 0.3, 0.1)
    buckets = [
        next(closed_columns(closed(T0 + i * MINUTE, value=np.array([v, 1.0, 1.0, 1.0]))))
        for i, v in enumerate(values)
    ]
    chart = sparkline(buckets)
    assert chart.count("<polyline") == 2
    assert chart.count("<polygon") == 1
    assert "nan" not in chart.lower()
    assert sparkline(buckets[:1]) == ""
    assert sparkline([]) == ""


def test_a_chart_of_a_constant_is_a_level_line() -> None:
    flat = np.array([0.2, 1.0, 1.0, 1.0])
    bucket = next(closed_columns(closed(value=flat, lower=flat, upper=flat)))
    assert 'points="0.0,20.0 180.0,20.0"' in sparkline([bucket, bucket])
