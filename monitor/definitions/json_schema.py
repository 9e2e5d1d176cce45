"""JSON Schema of the two kinds of file, for editors."""

from typing import Any

from pydantic import BaseModel

from monitor.definitions.schema import MetricsFile
from monitor.model.quantity import DURATION_PATTERN, format_duration
from monitor.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILES: dict[str, type[BaseModel]] = {"metrics": MetricsFile, "monitor": Settings}
"""Model of a file by the name that `monitor schema` takes."""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of `metrics/*.yaml` or `monitor.yaml`."""
    schema = FILES[name].model_json_schema()
    _write_durations(schema)
    return {"$schema": _DIALECT, **schema}


def _write_durations(node: Any) -> None:
    """Defaults of durations as people write them: `1m` for 60000000."""
    if isinstance(node, dict):
        if node.get("pattern") == DURATION_PATTERN and isinstance(node.get("default"), int):
            node["default"] = format_duration(node["default"])
        for value in node.values():
            _write_durations(value)
    elif isinstance(node, list):
        for value in node:
            _write_durations(value)
