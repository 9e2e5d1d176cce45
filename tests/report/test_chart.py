"""The chart of an alert: what is drawn, where, and what is left out."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monitor.model.time import DAY, HOUR, MINUTE, to_rfc3339
from monitor.report.chart import COLUMNS, HEIGHT, WIDTH, Chart, svg, thinned

START = 20_400 * DAY


def points(count: int, width: int = MINUTE) -> np.ndarray:
    k = np.arange(count)
    start = START + k * width
    value = 100.0 + k % 7
    columns = (start, start + width, value, value, value - 20, value + 20, k / 10)
    return np.stack([np.asarray(column, float) for column in columns], axis=1)


def chart(found: np.ndarray, **more: object) -> Chart:
    fields: dict[str, object] = {
        "threshold": 5.0,
        "started_at": to_rfc3339(START + 10 * MINUTE),
        "detected_at": to_rfc3339(START + 14 * MINUTE),
        "resolved_at": to_rfc3339(START + 30 * MINUTE),
        **more,
    }
    return Chart(points=found, **fields)  # type: ignore[arg-type]


def attributes(text: str, kind: str) -> list[dict[str, str]]:
    root = ElementTree.fromstring(text)  # noqa: S314 - our own
    return [dict(one.attrib) for one in root.iter() if one.attrib.get("class") == kind]


def test_the_incident_is_shaded_and_the_alarm_marked_where_they_are() -> None:
    text = svg(chart(points(40)), label="orders")
    (shade,) = attributes(text, "incident")
    assert float(shade["x"]) == pytest.approx(WIDTH / 4)
    assert float(shade["width"]) == pytest.approx(WIDTH / 2)
    line = next(one for one in attributes(text, "found") if "x1" in one)
    assert float(line["x1"]) == pytest.approx(WIDTH * 14 / 40, abs=0.1)
    assert "found 00:14" in text


def test_an_alert_that_lasts_is_shaded_to_the_end() -> None:
    (shade,) = attributes(svg(chart(points(40), resolved_at=None), label="o"), "incident")
    assert float(shade["x"]) + float(shade["width"]) == pytest.approx(WIDTH)


def test_a_release_is_named_as_text() -> None:
    release = {"service": "shop", "version": "<b>8.2</b>", "seconds_before": 300.0}
    text = svg(chart(points(40), release=release), label="o")
    assert "shop &lt;b&gt;8.2&lt;/b&gt;" in text
    line = next(one for one in attributes(text, "release") if "x1" in one)
    assert float(line["x1"]) == pytest.approx(WIDTH * 5 / 40, abs=0.1)
    early = {**release, "seconds_before": 86_400.0}
    assert not attributes(svg(chart(points(40), release=early), label="o"), "release")


def test_a_line_breaks_at_a_gap_and_where_nothing_is_known() -> None:
    found = points(40)
    found[5, 2] = np.nan
    assert len(attributes(svg(chart(found), label="o"), "value")) == 2
    assert len(attributes(svg(chart(found), label="o"), "band")) == 1
    apart = np.delete(found, slice(20, 25), axis=0)
    assert len(attributes(svg(chart(apart), label="o"), "value")) == 3
    assert len(attributes(svg(chart(apart), label="o"), "band")) == 2


def test_too_little_is_no_picture() -> None:
    assert svg(chart(points(1)), label="o") == ""
    assert svg(chart(points(0)), label="o") == ""


def test_a_share_is_told_in_per_cent() -> None:
    found = points(40)
    found[:, 2:6] /= 1000.0
    assert re.search(r">\d[\d.]* %</text>", svg(chart(found, unit="share"), label="o"))


def test_a_file_of_its_own_brings_its_colours() -> None:
    text = svg(chart(points(40)), label="o", standalone=True)
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
    assert "prefers-color-scheme" in text


@pytest.mark.parametrize("width", [MINUTE, HOUR, DAY, 7 * DAY])
def test_a_handful_of_times_stand_below(width: int) -> None:
    text = svg(chart(points(120, width)), label="o")
    assert 2 <= len(re.findall(r'class="tick', text)) <= 9


@given(
    found=arrays(
        np.float64,
        st.tuples(st.integers(2, 12), st.just(5)),
        elements=st.one_of(st.just(float("nan")), st.floats(-1e12, 1e12)),
    )
)
def test_whatever_the_values_everything_is_inside(found: np.ndarray) -> None:
    whole = np.concatenate([points(len(found))[:, :2], found], axis=1)
    text = svg(chart(whole), label='"<&')
    ElementTree.fromstring(text)  # noqa: S314 - our own
    for pairs in re.findall(r'points="([^"]+)"', text):
        for pair in pairs.split():
            x, y = map(float, pair.split(","))
            assert -1 <= x <= WIDTH + 1
            assert 0 <= y <= HEIGHT


def test_a_long_alert_is_thinned_to_means_and_its_highest_evidence() -> None:
    found = points(1000)
    few, run = thinned(found, 300)
    assert run == 4
    assert len(few) == 250
    assert few[0, 0] == found[0, 0]
    assert few[-1, 1] == found[-1, 1]
    assert few[:, 2].mean() == pytest.approx(found[:, 2].mean())
    assert few[-1, 6] == found[-1, 6]
    assert (few[1:, 0] == few[:-1, 1]).all(), "no gap comes of it"
    found[:8, 6] = np.nan
    assert np.isnan(thinned(found, 300)[0][:2, 6]).all()
    assert thinned(found, 1000)[0] is found
    assert len(COLUMNS) == found.shape[1]
