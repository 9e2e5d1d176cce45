"""The default envelope at full speed: bytes to a typed struct, and what refuses them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec

from monitor.ingest import fields

MAX_BYTES: Final = 1 << 20
"""A longer message is a dead letter."""

_Modest = Annotated[float, msgspec.Meta(ge=-1e298, le=1e298)]
"""A number that does not overflow, whatever the count; others are looked at."""


class Wire(msgspec.Struct, gc=False):
    """The default envelope as it decodes at full speed; other shapes of it take the slow path.

    Attributes:
        dimensions: their bytes as they came, which are the same ones again and again: `Dimensions`
            decodes them once. Empty where they are absent.
        specversion: of a CloudEvent, whose attributes these fields may happen to be: only null decodes.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    time: Annotated[datetime, msgspec.Meta(tz=True)] | int | float
    count: Annotated[int, msgspec.Meta(ge=1, le=fields.MAX_COUNT)] = 1
    dimensions: msgspec.Raw = msgspec.Raw()
    values: dict[str, _Modest | None] | None = None
    actor: str | int | float | None = None
    event_id: str | int | float | None = None
    specversion: None = None


UNDECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the fast path raises for messages that `Envelope.read` must look at."""


def are_plain(payloads: Sequence[bytes]) -> bool:
    """Whether it is certain that none of these has anything for `vet` to find."""
    whole = b"\n".join(payloads)
    if len(whole) > MAX_BYTES:
        return False
    if not whole.isascii():
        try:
            whole.decode()
        except UnicodeDecodeError:
            return False
    return True


def vet(payload: bytes) -> None:
    """Raise one of `UNDECODED` where a message is too large, or no UTF-8 in a field passed over."""
    if len(payload) > MAX_BYTES:
        message = "too large"
        raise msgspec.DecodeError(message)
    if not payload.isascii():
        payload.decode()
