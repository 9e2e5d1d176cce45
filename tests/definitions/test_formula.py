import pytest

from monitor.definitions.formula import FormulaError, Tree, parse


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", "a"),
        ("a+b*c", ("+", "a", ("*", "b", "c"))),
        ("(a+b)*c", ("*", ("+", "a", "b"), "c")),
        ("a-b-c", ("-", ("-", "a", "b"), "c")),
        ("a / b / 2.5e1", ("/", ("/", "a", "b"), 25.0)),
        ("-a * .5", ("*", ("-", 0.0, "a"), 0.5)),
    ],
)
def test_precedence(text: str, tree: Tree) -> None:
    assert parse(text).tree == tree


def test_names_are_sorted_and_told_once() -> None:
    assert parse("b / (a + b) * 100").metrics == ("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        *["", "a b", "a +", "(a", "a)", "a ^ 2", "1", "a / 0", "1a", "a..b", "(" * 60 + "a"],
        *[".", "a + .", "a * ²", "a + ü", "a + ٣", "a * 1e999", "a / 1e-999", "a\u2028+ ."],
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text)


def test_too_long() -> None:
    with pytest.raises(FormulaError, match="longer than"):
        parse("a+" * 600 + "a")
