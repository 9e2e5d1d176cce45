"""Validation that finds every mistake and still gives what is right.

Checks between keys, and between metrics, should not wait until the last typo is mended. So what is
wrong is taken out, and the rest validated by a twin of the model in which nothing is required.
"""

from copy import deepcopy
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError, create_model
from pydantic.fields import FieldInfo

from monitor.definitions.mistake import Fault, Path
from monitor.definitions.wording import faults
from monitor.settings import Group

_G = TypeVar("_G", bound=Group)

_ROUNDS = 10


def validate(model: type[_G], data: Any) -> tuple[_G, list[Fault]]:
    """The model of this data, and its faults.

    With faults, the model lacks what is wrong: defaults, and None for keys that are required.
    """
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        found = faults(model, error.errors(include_url=False))
    return _rest(_twin(model), data), found


def _rest(twin: type[_G], data: Any) -> _G:
    pruned = deepcopy(data) if isinstance(data, dict) else {}
    for _ in range(_ROUNDS):
        try:
            return twin.model_validate(pruned)
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                _prune(pruned, problem["loc"], lacks=problem["type"] == "missing")
    return twin.model_validate({})


def _prune(data: dict[str, Any], path: Path, *, lacks: bool) -> None:
    """Takes a value out; of a list, the whole list, so that the lines of the others stay right."""
    path = path[:-1] if lacks else path
    indices = [i for i, part in enumerate(path) if isinstance(part, int)]
    path = path[: indices[0]] if indices else path
    here: Any = data
    for part in path[:-1]:
        here = here.get(part) if isinstance(here, dict) else None
    if isinstance(here, dict) and path and path[-1] in here:
        del here[path[-1]]
    elif path:
        data.pop(str(path[0]), None)


@lru_cache
def _twin(model: type[_G]) -> type[_G]:
    optional: dict[str, Any] = {
        name: (info.annotation, FieldInfo.merge_field_infos(info, default=None))
        for name, info in model.model_fields.items()
        if info.is_required()
    }
    return create_model(model.__name__, __base__=model, **optional)
