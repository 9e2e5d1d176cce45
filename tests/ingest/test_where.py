"""Conditions of selectors."""

import pytest

from monitor.definitions.plan import Condition
from monitor.ingest.where import Found, holds


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        (("f", "in", ("a", "5")), ["a", "5", 5.0], ["b", "5.0", 5.5, None, ""]),
        (("f", "not_in", ("a", "5")), ["b", "", 6.0, None], ["a", "5", 5.0]),
        (("f", "prefix", ("8.",)), ["8.1", "8.", 8.5], ["18.", "8", 8.0, None]),
        (
            ("f", "lt", (5.0,)),
            ["4.9", -1.0, " 4 "],
            ["5", 5.0, None, "", "x", "nan", "-inf", "1_0"],
        ),
        (("f", "lte", (5.0,)), ["5", 5.0], [5.1, "6", None]),
        (("f", "gt", (5.0,)), ["1e3", 5.1], [5.0, "5", "inf", "1_0", None]),
        (("f", "gte", (5.0,)), ["5.0", 5.0], [4.9, "four", None]),
    ],
)
def test_what_a_condition_holds_for(
    condition: Condition, yes: list[Found], no: list[Found]
) -> None:
    assert [found for found in yes if not holds(condition, found)] == []
    assert [found for found in no if holds(condition, found)] == []
