"""From a folder of YAML to a `Configuration`, or to all of its mistakes at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from monitor.definitions.checks import doubts
from monitor.definitions.document import whole
from monitor.definitions.metric_files import Entry, read_metrics
from monitor.definitions.mistake import Fault, Mistake, MistakesError, Path
from monitor.definitions.plan import BUILT_IN_KEY
from monitor.definitions.relations import check_relations, gather
from monitor.definitions.schema import UNIT_KINDS, Metric
from monitor.definitions.service import settings_doubts
from monitor.definitions.service_file import Service, read_service
from monitor.definitions.where import BOUNDS, scalar_text
from monitor.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A configuration without mistakes.

    Attributes:
        settings: `monitor.yaml`, with the environment's overrides.
        metrics: every definition, sorted by name.
        written: each definition as it stands in its file, by name.
        warnings: what is allowed, but hardly meant; one line each.
        hash_key: keys the hashes of units.
    """

    settings: Settings
    metrics: tuple[Metric, ...]
    written: Mapping[str, Mapping[str, Any]]
    warnings: tuple[Mistake, ...]
    hash_key: bytes = BUILT_IN_KEY

    @property
    def fields(self) -> dict[str, str]:
        """Paths of a custom envelope, by field, where they are given; empty for the default one."""
        fields = self.settings.source.fields
        return fields.model_dump(exclude_unset=True) if fields else {}


def load(folder: FilePath, *, environment: Mapping[str, str]) -> Configuration:
    """The configuration in a folder; raises `MistakesError` (a `ConfigError`) with every mistake.

    Args:
        folder: holds `monitor.yaml` and `metrics/*.yaml`.
        environment: variables `MONITOR__A__B` override settings.
    """
    _require_folder(folder)
    mistakes: list[Mistake] = []
    service = read_service(folder, environment, mistakes)
    entries = read_metrics(folder, mistakes)
    mistakes += _relations(entries)
    if mistakes or service.settings is None:
        raise MistakesError(mistakes)
    entries.sort(key=lambda entry: entry.metric.name)
    return Configuration(
        settings=service.settings,
        metrics=tuple(entry.metric for entry in entries),
        written={entry.metric.name: entry.written for entry in entries},
        warnings=tuple(sorted(_warnings(service, service.settings, entries, environment))),
        hash_key=environment.get(service.settings.hash_key_env or "", "").encode() or BUILT_IN_KEY,
    )


def _require_folder(folder: FilePath) -> None:
    if not folder.exists():
        message = (
            f"there is no such folder; `monitor init {folder}` writes one, --config names another"
        )
    elif not folder.is_dir():
        message = "is a file; --config names the folder that holds monitor.yaml and metrics/"
    else:
        return
    raise MistakesError([whole(folder, message)])


def _relations(entries: Sequence[Entry]) -> Iterator[Mistake]:
    known = gather([entry.metric for entry in entries if entry.name is not None])
    known.names |= {str(entry.written["name"]) for entry in entries if "name" in entry.written}
    first: dict[str, Entry] = {}
    for entry in entries:
        name = entry.name
        if name is not None:
            other = first.setdefault(name, entry)
            if other is not entry:
                line = other.document.line((*other.path, "name"))
                message = f"the name is taken by {other.document.file}:{line}; names are unique"
                yield entry.mistake(Fault(path=("name",), message=message))
        for fault in check_relations(entry.metric, known):
            yield entry.mistake(fault)


def _warnings(
    service: Service,
    settings: Settings,
    entries: Sequence[Entry],
    environment: Mapping[str, str],
) -> Iterator[Mistake]:
    hashes = any(entry.metric.kind in UNIT_KINDS for entry in entries)
    for fault in settings_doubts(settings, environment, hashes=hashes):
        yield service.mistake(fault)
    for entry in entries:
        for fault in (*doubts(entry.metric), *_altered_numbers(entry)):
            yield entry.mistake(fault)


def _altered_numbers(entry: Entry) -> Iterator[Fault]:
    """`8.10` in a `where` is the number 8.1: whoever meant a version needs quotes."""
    depth = len(entry.path)
    for path, text in entry.document.texts.items():
        if path[:depth] != entry.path or "where" not in path:
            continue
        value = _at(entry.document.data, path)
        if isinstance(value, float) and scalar_text(value) != text and path[-1] not in BOUNDS:
            message = (
                f"where: {text} is read as {scalar_text(value)}; put it in quotes if it is a text"
            )
            yield Fault(path=path[depth:], message=message)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        inside = isinstance(data, dict) and part in data
        inside = inside or (isinstance(data, list) and isinstance(part, int) and part < len(data))
        data = data[part] if inside else None
    return data
