"""Reads `monitor.yaml`, with the environment's overrides over it."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from monitor.definitions import document as documents
from monitor.definitions.document import Document, whole
from monitor.definitions.mistake import Fault, Mistake, Path
from monitor.definitions.partial import validate
from monitor.definitions.service import check_settings
from monitor.settings import Settings, overrides


@dataclass(slots=True, kw_only=True)
class Service:
    """`monitor.yaml` with the environment over it.

    Attributes:
        document: the file.
        settings: what it says; with mistakes, what is left of it; None where there is nothing.
        variables: path of each setting that the environment overrides, and the variable.
    """

    document: Document
    settings: Settings | None = None
    variables: dict[Path, str] = field(default_factory=dict)

    def mistake(self, fault: Fault) -> Mistake:
        """The fault with its place: the file, or the variable that set the value."""
        for path, name in self.variables.items():
            if path[: len(fault.path)] == fault.path or fault.path[: len(path)] == path:
                return Mistake(file=f"${name}", line=0, message=fault.message)
        return self.document.mistake(fault.path, fault.message, on_key=fault.on_key)


def read_service(
    folder: FilePath, environment: Mapping[str, str], mistakes: list[Mistake]
) -> Service:
    """The settings in a folder; adds what is wrong to the mistakes."""
    path = folder / "monitor.yaml"
    service = Service(document=Document(file=str(path), data={}))
    if not path.exists():
        other = folder / "monitor.yml"
        remedy = f"rename {other}" if other.exists() else "write one with `source:` in it"
        mistakes.append(whole(path, f"is missing; {remedy}"))
    else:
        read = documents.read(path, mistakes)
        if read is None:
            return service
        service.document = read
    data = _overridden(service, environment, mistakes)
    if not isinstance(data, dict):
        message = "is empty; it needs a source" if data is None else "is not a mapping of settings"
        mistakes.append(service.document.mistake((), message))
        return service
    if path.exists():
        service.settings, faults = validate(Settings, data)
        broken = any(fault.path[:1] == ("source",) for fault in faults)
        faults += [
            fault
            for fault in check_settings(service.settings)
            if not (broken and fault.path == ("source",))
        ]
        mistakes += [service.mistake(fault) for fault in faults]
    return service


def _overridden(service: Service, environment: Mapping[str, str], mistakes: list[Mistake]) -> Any:
    data = deepcopy(service.document.data)
    for name, path, text in overrides(environment):
        value = documents.parse(f"${name}", text.encode())
        mistakes += value.mistakes
        service.variables[path] = name
        data = data if isinstance(data, dict) else {}
        here = data
        for part in path[:-1]:
            if not isinstance(here.get(part), dict):
                here[part] = {}
            here = here[part]
        here[path[-1]] = value.data
    return data
