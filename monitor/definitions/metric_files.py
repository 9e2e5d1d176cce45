"""Reads `metrics/*.yaml`: every definition with its place."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from monitor.definitions import document as documents
from monitor.definitions.checks import check_metric
from monitor.definitions.document import Document, whole
from monitor.definitions.mistake import Fault, Mistake, Path, did_you_mean
from monitor.definitions.partial import validate
from monitor.definitions.schema import KINDS, Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A definition and where it stands.

    Attributes:
        document, path: the file, and the path of the definition in it.
        metric: what it says; with mistakes, what is left of it.
        written: the definition as it stands.
    """

    document: Document
    path: Path
    metric: Metric
    written: dict[str, Any]

    @property
    def name(self) -> str | None:
        """Its name; None where it has none, or none that can be used."""
        return self.metric.name

    def mistake(self, fault: Fault) -> Mistake:
        """The fault with its place and the metric's name."""
        name = self.name
        whose = f"metric {name!r}" if name is not None else f"definition {int(self.path[-1]) + 1}"
        path = (*self.path, *fault.path)
        return self.document.mistake(path, f"{whose}: {fault.message}", on_key=fault.on_key)


def read_metrics(folder: FilePath, mistakes: list[Mistake]) -> list[Entry]:
    """Every definition in a folder; adds what is wrong to the mistakes."""
    return [entry for file in _metric_files(folder, mistakes) for entry in _entries(file, mistakes)]


def _metric_files(folder: FilePath, mistakes: list[Mistake]) -> Iterator[Document]:
    metrics = folder / "metrics"
    if not metrics.is_dir():
        mistakes.append(
            whole(metrics, "there is no such folder; metrics are defined in its *.yaml")
        )
        return
    files = sorted(path for path in metrics.iterdir() if path.suffix in (".yaml", ".yml"))
    if not files:
        mistakes.append(whole(metrics, "holds no *.yaml file; metrics are defined there"))
    for path in files:
        document = documents.read(path, mistakes)
        if document is not None:
            yield document


def _entries(document: Document, mistakes: list[Mistake]) -> Iterator[Entry]:
    for i, item in enumerate(_listed(document, mistakes)):
        path: Path = ("metrics", i)
        if not isinstance(item, dict):
            message = f"definition {i + 1} is not a mapping; write `- name: ...` and `kind: ...`"
            mistakes.append(document.mistake(path, message))
            continue
        metric, faults = _metric(item)
        entry = Entry(document=document, path=path, metric=metric, written=item)
        mistakes += [entry.mistake(fault) for fault in (*faults, *check_metric(metric))]
        yield entry


def _listed(document: Document, mistakes: list[Mistake]) -> list[Any]:
    data = document.data
    path: Path = ()
    if data is None:
        message = "is empty; write `metrics:` and a list under it, or remove the file"
    elif not isinstance(data, dict):
        message = "is not a mapping; write `metrics:` and the list under it"
    elif "metrics" not in data and "kind" in data:
        message = "holds a bare definition; write `metrics:` and a list under it"
    else:
        for key in data.keys() - {"metrics"}:
            hint = did_you_mean(key, ["metrics"]) or "; only 'metrics' stands here"
            text = f"unknown key {key!r}{hint}"
            mistakes.append(document.mistake((key,), text, on_key=True))
        listed = data.get("metrics")
        if isinstance(listed, list) and listed:
            return listed
        if "metrics" not in data:
            return []
        path, message = ("metrics",), "metrics is not a list of definitions, or an empty one"
    mistakes.append(document.mistake(path, message))
    return []


def _metric(item: dict[str, Any]) -> tuple[Metric, list[Fault]]:
    kind = item.get("kind")
    if isinstance(kind, str) and kind in KINDS:
        return validate(KINDS[kind], item)
    common = {key: value for key, value in item.items() if key in Metric.model_fields}
    metric, faults = validate(Metric, {**common, "kind": "unknown"})
    if kind is None:
        message = f"the key 'kind' is missing; it is one of {', '.join(KINDS)}"
        return metric, [Fault(path=(), message=message), *faults]
    message = f"kind {kind!r} is not one of {', '.join(KINDS)}{did_you_mean(str(kind), KINDS)}"
    return metric, [Fault(path=("kind",), message=message), *faults]
