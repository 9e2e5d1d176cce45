"""The bytes of a core's state: msgpack in zstd, with a format version."""

from typing import Any

import msgspec
import zstandard

from monitor.alert.drifts import Drifts
from monitor.alert.lifecycle import Change, Incidents
from monitor.core.lane_key import LaneKey
from monitor.errors import StateError
from monitor.model import codec
from monitor.model.tick import Reason

FORMAT = 14
"""Grows whenever an older program could not read what this one writes."""

_decoder = codec.decoder(dict)


def encode(state: dict[str, Any]) -> bytes:
    """Compressed bytes of a state."""
    return zstandard.compress(codec.encode({"format": FORMAT, **state}), 1)


def decode(data: bytes) -> dict[str, Any]:
    """The state of these bytes.

    Raises:
        StateError: damaged, or of another format.
    """
    try:
        state: dict[str, Any] = _decoder.decode(zstandard.decompress(data))
    except (zstandard.ZstdError, msgspec.DecodeError, ValueError) as error:
        message = f"snapshot of {len(data)} bytes cannot be read ({error})"
        raise StateError(message) from error
    if state.get("format") != FORMAT:
        message = (
            f"snapshot has format {state.get('format')!r}, this version reads {FORMAT}: "
            "go back to the version that wrote it, or remove the state to learn anew"
        )
        raise StateError(message)
    return state


def lanes(state: dict[str, Any]) -> dict[LaneKey, dict[str, Any]]:
    """The states of the lanes by what they are found by."""
    return {LaneKey.load(lane["key"]): lane for lane in state["lanes"]}


def orphans(state: dict[str, Any], keys: set[LaneKey]) -> list[Change]:
    """What ends with lanes that no metric has any more."""
    changes: list[Change] = []
    for lane in state["lanes"]:
        if LaneKey.load(lane["key"]) not in keys:
            incidents = Incidents()
            incidents.load(lane["incidents"])
            changes += incidents.drop(incidents.rows(), None, Reason.DEFINITION_CHANGED)
            drifts = Drifts()
            drifts.load(lane["drifts"]["tickets"])
            changes += drifts.drop(drifts.rows(), None, Reason.DEFINITION_CHANGED)
    return changes
