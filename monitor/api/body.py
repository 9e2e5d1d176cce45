"""What a request brings: a JSON object, read strictly; a wrong member is named, with what it should be."""

from typing import TypeVar

import msgspec
from aiohttp import web

from monitor.api.problem import MAX_BODY, ProblemError

T = TypeVar("T")


async def read(request: web.Request, shape: type[T]) -> T:
    """The body as a value of this shape.

    A form that a page of another origin may send unasked is no JSON: so without tokens, too, only
    programs write.

    Raises:
        ProblemError: 415 it does not say that it is JSON; 413 it is too large; 422 it is no JSON, or not of
            this shape.
    """
    return decode(await raw(request), shape)


async def raw(request: web.Request) -> bytes:
    """The bytes of a JSON body; raises 413, 415."""
    kind = request.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        message = f"Content-Type is {kind!r}; send application/json"
        raise ProblemError(415, message)
    body = await request.read()
    if len(body) > MAX_BODY:
        message = f"the body has {len(body)} bytes; send at most {MAX_BODY}"
        raise ProblemError(413, message)
    return body


def decode(body: bytes, shape: type[T]) -> T:
    """The value of these bytes; raises 422."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"the body cannot be used: {error}"
        raise ProblemError(422, message) from None
