"""What pydantic found, in this project's words: the key, the value, the remedy."""

from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel

from monitor.definitions.mistake import Fault, Path, did_you_mean, shown
from monitor.definitions.schema import KINDS

_KIND_KEYS = {key for model in KINDS.values() for key in model.model_fields}

_TYPES = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def faults(model: type[BaseModel], errors: Iterable[Any]) -> list[Fault]:
    """The faults of a failed validation; a key that is missing because it is misspelt is told once."""
    errors = list(errors)
    misspelt = set()
    for error in errors:
        if error["type"] == "extra_forbidden":
            *around, key = error["loc"]
            missing = _missing_beside(tuple(around), errors)
            if did_you_mean(str(key), missing):
                misspelt |= {(*around, name) for name in _closest(str(key), missing)}
    return [
        _fault(model, error)
        for error in errors
        if not (error["type"] == "missing" and error["loc"] in misspelt)
    ]


def _missing_beside(around: Path, errors: list[Any]) -> set[str]:
    return {e["loc"][-1] for e in errors if e["type"] == "missing" and e["loc"][:-1] == around}


def _closest(key: str, names: set[str]) -> set[str]:
    return {name for name in names if repr(name) in did_you_mean(key, names)}


def _fault(model: type[BaseModel], error: Any) -> Fault:
    path: Path = error["loc"]
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return Fault(path=path, message=_unknown_key(model, path), on_key=True)
    if kind == "missing":
        where = f" in {dotted(path[:-1])!r}" if path[:-1] else ""
        return Fault(path=path[:-1], message=f"the key {path[-1]!r} is missing{where}")
    return Fault(path=path, message=f"{dotted(path)} {_complaint(kind, value, context)}")


def dotted(path: Path) -> str:
    """A path as people write it.

    >>> dotted(("drives", 0, "metric"))
    'drives[0].metric'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "the file"


def _complaint(kind: str, value: object, context: dict[str, Any]) -> str:
    if kind == "monitor":
        return str(context["message"])
    if kind == "string_too_short":
        return "is empty"
    return f"{shown(value)} is not {_wanted(kind, value, context)}"


def _wanted(kind: str, value: object, context: dict[str, Any]) -> str:
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]:g}"
    if kind == "literal_error":
        choices = [
            part.strip("' ") for part in context["expected"].replace(" or ", ", ").split(",")
        ]
        return f"one of {', '.join(choices)}" + did_you_mean(str(value), choices)
    return _TYPES.get(kind, f"what belongs here ({kind})")


def _unknown_key(model: type[BaseModel], path: Path) -> str:
    key, around = str(path[-1]), path[:-1]
    known = set(_fields_at(model, around))
    place = f" in {dotted(around)!r}" if around else ""
    kind = next((name for name, cls in KINDS.items() if issubclass(model, cls)), None)
    if kind is not None and not around and key in _KIND_KEYS:
        keys = [
            name
            for name in KINDS[kind].model_fields
            if KINDS[kind].model_fields[name].is_required()
        ]
        own = ", ".join(name for name in keys if name not in ("name", "kind"))
        return f"{key!r} does not belong to the kind {kind}, which has {own}; remove it"
    if key == "value" and "event" in known:
        return f"unknown key 'value'{place}; this kind counts, it does not add up a field"
    remedy = did_you_mean(key, known) or f"; known are {', '.join(sorted(known))}"
    return f"unknown key {key!r}{place}{remedy}"


def _fields_at(model: type[BaseModel], path: Path) -> Iterator[str]:
    here: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, str) and here is not None:
            here = next(_models(here.model_fields[part].annotation), None)
    yield from here.model_fields if here is not None else ()


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
