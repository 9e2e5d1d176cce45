"""Formulas of derived metrics: `+ - * / ( )`, numbers and names of metrics."""

import math
import re
from dataclasses import dataclass
from typing import NoReturn

Tree = float | str | tuple[str, "Tree", "Tree"]
"""A number, the name of a metric, or (operator, left, right)."""

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN = re.compile(rf"\s*(?:{_NUMBER.pattern}|{_NAME.pattern}|.)")
_LONGEST = 1000
_DEEPEST = 50


class FormulaError(ValueError):
    """The formula cannot be read; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A formula that was read.

    Attributes:
        tree: what to compute.
        metrics: the names in it, sorted.
    """

    tree: Tree
    metrics: tuple[str, ...]


def parse(text: str) -> Formula:
    """The formula in a text; raises `FormulaError`.

    >>> parse("revenue / (buyers + 1)").metrics
    ('buyers', 'revenue')
    """
    if len(text) > _LONGEST:
        message = f"is longer than {_LONGEST} characters"
        raise FormulaError(message)
    reader = _Reader(text)
    tree = reader.total()
    if reader.word is not None:
        reader.refuse("an operator or the end")
    if not reader.names:
        message = f"{text!r} names no metric"
        raise FormulaError(message)
    return Formula(tree=tree, metrics=tuple(sorted(reader.names)))


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self.depth = 0
        self.at = 0
        self.end = 0
        self.word: str | None = None
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.end)
        if match is None or not match.group().strip():
            self.at, self.word = len(self.text), None
            return
        self.word = match.group().strip()
        self.end = match.end()
        self.at = self.end - len(self.word)

    def refuse(self, wanted: str) -> NoReturn:
        found = "ends" if self.word is None else f"has {self.word!r} at column {self.at + 1}"
        message = f"{self.text!r} {found} where {wanted} is expected"
        raise FormulaError(message)

    def total(self) -> Tree:
        tree = self.product()
        while self.word in ("+", "-"):
            operator = str(self.word)
            self.advance()
            tree = (operator, tree, self.product())
        return tree

    def product(self) -> Tree:
        tree = self.atom()
        while self.word in ("*", "/"):
            operator = str(self.word)
            self.advance()
            right = self.atom()
            if operator == "/" and right == 0:
                message = f"{self.text!r} divides by zero"
                raise FormulaError(message)
            tree = (operator, tree, right)
        return tree

    def atom(self) -> Tree:
        self.depth += 1
        if self.depth > _DEEPEST:
            message = "is nested too deeply"
            raise FormulaError(message)
        tree = self._atom()
        self.depth -= 1
        return tree

    def _atom(self) -> Tree:
        word = self.word
        if word == "-":
            self.advance()
            return ("-", 0.0, self.atom())
        if word == "(":
            self.advance()
            tree = self.total()
            if self.word != ")":
                self.refuse("')'")
            self.advance()
            return tree
        if word is not None and _NUMBER.fullmatch(word):
            number = float(word)
            if not math.isfinite(number):
                self.refuse("a number below 1.8e308")
            self.advance()
            return number
        if word is None or not _NAME.fullmatch(word):
            self.refuse("a metric, a number or '('")
        self.advance()
        self.names.add(word)
        return word
