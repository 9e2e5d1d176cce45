"""A YAML file with the line of every key and value.

Scalars follow the YAML 1.2 core schema, so that `country: NO` is a text and `1:30` no number. Texts
with a leading zero stay texts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from monitor.definitions.mistake import Mistake, Path

_CORE: tuple[tuple[str, str, str], ...] = (
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]{0,17})$", "-+0123456789"),
    (
        "float",
        r"^[-+]?(?:0?\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$",
        "-+.0123456789",
    ),
    ("float", r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", "-+."),
    ("merge", r"^<<$", "<"),
)
_TAG = "tag:yaml.org,2002:"


class _CoreLoader(yaml.SafeLoader):
    """Resolves plain scalars by the core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _name, _pattern, _first in _CORE:
    _CoreLoader.add_implicit_resolver(
        _TAG + _name, re.compile(_pattern), ["" if c == "\0" else c for c in _first]
    )


@dataclass(slots=True, kw_only=True)
class Document:
    """What stands in a file, and where.

    Attributes:
        file: its name, for messages.
        data: dicts, lists, texts, numbers, booleans and None.
        value_lines, key_lines: line, from 1, of every value and of every key, by path.
        texts: plain (unquoted) scalars as they stand, by path.
        mistakes: what is wrong with the YAML itself.
    """

    file: str
    data: Any = None
    value_lines: dict[Path, int] = field(default_factory=dict)
    key_lines: dict[Path, int] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, path: Path, *, on_key: bool = False) -> int:
        """The line of a value (or its key), or of the nearest thing around it that stands there."""
        lines = {**self.value_lines, **self.key_lines} if on_key else self.value_lines
        return next((lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in lines), 1)

    def mistake(self, path: Path, message: str, *, on_key: bool = False) -> Mistake:
        """A mistake at a path."""
        return Mistake(file=self.file, line=self.line(path, on_key=on_key), message=message)


def parse(file: str, content: bytes) -> Document:
    """The document in these bytes; YAML errors become its mistakes, with `data` None."""
    document = Document(file=file)
    try:
        loader = _CoreLoader(content.decode("utf-8-sig"))
        node = loader.get_single_node()
        if node is not None:
            document.data = _Builder(document).build(node, ())
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        _refuse(document, line, "is not UTF-8 text; save the file as UTF-8")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(document, mark.line + 1 if mark else 1, _wording(error))
    except yaml.reader.ReaderError as error:
        _refuse(document, 1, f"not valid YAML: the character {error.character!r} is not allowed")
    except RecursionError:
        _refuse(document, 1, "is nested too deeply")
    return document


def _refuse(document: Document, line: int, message: str) -> None:
    document.data = None
    document.mistakes.append(Mistake(file=document.file, line=line, message=message))


def _wording(error: yaml.MarkedYAMLError) -> str:
    problem = " ".join((error.problem or "cannot be read").split())
    if "'\\t'" in problem:
        problem += "; indent with spaces, not tabs"
    elif "mapping values are not allowed" in problem:
        problem += "; check the indentation, and put quotes around a text that contains ': '"
    elif "but found '<block" in problem:
        problem += "; check the indentation"
    elif "but found another document" in problem:
        problem = "a second document begins here; keep one document in a file"
    return f"not valid YAML: {problem}"


class _Builder:
    """Makes data of nodes and keeps their lines."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: set[int] = set()

    def build(self, node: yaml.Node, path: Path) -> Any:
        """Data of a node."""
        self.document.value_lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self.open:
            self._mistake(node, "an alias stands inside what it names")
            return None
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self.open.discard(id(node))

    def _mistake(self, node: yaml.Node, message: str) -> None:
        line = node.start_mark.line + 1
        self.document.mistakes.append(Mistake(file=self.document.file, line=line, message=message))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if node.style is None:
            self.document.texts[path] = node.value
        match node.tag.removeprefix(_TAG):
            case "str" | "merge":
                return node.value
            case "null":
                return None
            case "bool":
                return node.value.lower() == "true"
            case "int":
                return int(node.value)
            case "float":
                return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
            case tag:
                self._mistake(node, f"the YAML tag {tag!r} is not supported; remove it")
                return node.value

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._mistake(key_node, "a key must be a text; is a ':' or a quote missing?")
            elif key_node.tag == _TAG + "merge":
                for source in self._merge_sources(value_node):
                    merged = {**self._mapping(source, path), **merged}
            else:
                self._entry(key_node, value_node, path, data)
        for key in data:
            merged.pop(key, None)
        return {**merged, **data}

    def _entry(
        self, key_node: yaml.ScalarNode, value_node: yaml.Node, path: Path, data: dict[str, Any]
    ) -> None:
        key, here = key_node.value, (*path, key_node.value)
        if key in data:
            first = self.document.key_lines[here]
            self._mistake(key_node, f"key {key!r} is written twice; the first is on line {first}")
            return
        self.document.key_lines[here] = key_node.start_mark.line + 1
        data[key] = self.build(value_node, here)

    def _merge_sources(self, node: yaml.Node) -> Iterator[yaml.Node]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in nodes:
            if isinstance(source, yaml.MappingNode) and id(source) not in self.open:
                yield source
            else:
                self._mistake(source, "'<<' merges mappings only")


def read(path: FilePath, mistakes: list[Mistake]) -> Document | None:
    """The document in a file, unless it cannot be read or is no YAML; adds what is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        mistakes.append(whole(path, f"cannot be read: {error.strerror}"))
        return None
    document = parse(str(path), content)
    mistakes += document.mistakes
    return None if document.data is None and document.mistakes else document


def whole(path: FilePath, message: str) -> Mistake:
    """A mistake that concerns a whole file or folder."""
    return Mistake(file=str(path), line=0, message=message)
