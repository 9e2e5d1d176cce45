"""Bytes to a JSON value, or the reason why they are none."""

import json
from typing import Any, Final

import msgspec

from monitor.ingest.fields import Fault
from monitor.model.event import Reject

_LONGEST_INTEGER: Final = 4000
"""Digits; Python refuses to convert more than 4300 of them, and they overflow anyway."""


def parse(payload: bytes) -> Any:
    """The JSON value of these bytes. Overflowing numbers are infinite in it, for the fields to judge.

    Raises:
        Fault: `not_json`, or `not_finite` where NaN or Infinity stand in it.
    """
    try:
        return msgspec.json.decode(payload)
    except UnicodeDecodeError:
        raise Fault(Reject.NOT_JSON, "not UTF-8") from None
    except RecursionError:
        raise Fault(Reject.NOT_JSON, "nested too deeply") from None
    except msgspec.DecodeError as error:
        return _parse_leniently(payload, str(error))


def _parse_leniently(payload: bytes, problem: str) -> Any:
    """Decode with the standard library, which knows NaN and Infinity, where msgspec found a problem."""
    nans: list[str] = []
    try:
        text = payload.decode()
        message = json.loads(text, parse_constant=nans.append, parse_int=_integer)
    except (ValueError, RecursionError):
        raise Fault(Reject.NOT_JSON, problem) from None
    if nans:
        raise Fault(Reject.NOT_FINITE, f"{nans[0]} is not a finite number", message=message)
    if _has_surrogates(text):
        raise Fault(Reject.NOT_JSON, "half of a surrogate pair")
    return message


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _LONGEST_INTEGER else float(text)


def _has_surrogates(text: str) -> bool:
    """Whether JSON text escapes half of a surrogate pair, which no UTF-8 can hold."""
    try:
        json.dumps(json.loads(text, parse_int=_integer), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
