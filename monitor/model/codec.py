"""msgpack with numpy arrays: the bytes of frames and snapshots.

An array travels as extension type 1: the dtype string, a zero byte, the shape, the raw little-endian
data; it decodes to a read-only view of the message, without a copy.
"""

from typing import Any, TypeVar

import msgspec
import numpy as np

_ARRAY = 1
_T = TypeVar("_T")


def _to_extension(value: object) -> msgspec.msgpack.Ext:
    if isinstance(value, np.ndarray):
        head = msgspec.msgpack.encode([value.dtype.str, list(value.shape)])
        data = np.ascontiguousarray(value).data
        return msgspec.msgpack.Ext(_ARRAY, b"".join((len(head).to_bytes(2, "little"), head, data)))
    message = f"cannot encode {type(value).__name__}"
    raise NotImplementedError(message)


def _from_extension(code: int, data: memoryview) -> Any:
    if code != _ARRAY:
        message = f"unknown msgpack extension {code}"
        raise msgspec.ValidationError(message)
    end = 2 + int.from_bytes(data[:2], "little")
    dtype, shape = msgspec.msgpack.decode(data[2:end])
    return np.frombuffer(data[end:], dtype=np.dtype(dtype)).reshape(shape)


_encoder = msgspec.msgpack.Encoder(enc_hook=_to_extension)


def encode(value: object) -> bytes:
    """Bytes of a value of dicts, lists, scalars, msgspec structs and numpy arrays."""
    return _encoder.encode(value)


def decoder(kind: type[_T]) -> "msgspec.msgpack.Decoder[_T]":
    """Decoder of values of one type; raises `msgspec.DecodeError` on anything else.

    A field of numpy arrays must be annotated `Any`: the extension type decides what it is.
    """
    return msgspec.msgpack.Decoder(kind, ext_hook=_from_extension)
