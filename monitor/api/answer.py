"""What is answered: JSON that no cache keeps."""

from typing import Any

import msgspec
from aiohttp import web


def encoded(body: bytes, status: int = 200, kind: str = "application/json") -> web.Response:
    """The answer with this body; `kind` is its media type."""
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=body, content_type=kind, headers=headers)


def json_answer(value: Any, status: int = 200) -> web.Response:
    """The answer with this value."""
    return encoded(msgspec.json.encode(value), status)
