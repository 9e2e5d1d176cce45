"""Every error as `application/problem+json` (RFC 9457), with what to do about it in `detail`."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from aiohttp import web

from monitor.api.answer import encoded
from monitor.errors import MonitorError

MAX_BODY = 1024 * 1024
"""Bytes of a request's body at most."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CLIENT_FAULT = 400
_UNAUTHORISED = 401
_KEPT_HEADERS = ("Allow", "Location")
_log = structlog.get_logger()


class ProblemError(Exception):
    """A request that cannot be answered.

    Args:
        status: of the answer.
        detail: the value that is at fault and the remedy.
        more: further members of the answer, such as `parameter`.
    """

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def problem(status: int, detail: str, **more: Any) -> web.Response:
    """The answer of an error."""
    body = {
        "type": "about:blank",
        "title": web.Response(status=status).reason,
        "status": status,
        "detail": detail,
        **more,
    }
    return encoded(msgspec.json.encode(body), status, "application/problem+json")


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns whatever goes wrong in a handler into such an answer."""
    try:
        if (request.content_length or 0) > MAX_BODY:
            message = f"the body has {request.content_length} bytes; send at most {MAX_BODY}"
            raise ProblemError(413, message)
        return await handler(request)
    except ProblemError as error:
        answer = problem(error.status, error.detail, **error.more)
        if error.status == _UNAUTHORISED:
            answer.headers["WWW-Authenticate"] = 'Bearer realm="monitor"'
        return answer
    except web.HTTPException as error:
        return _of_http(request, error)
    except web.RequestPayloadError as error:
        return problem(400, f"the body cannot be read ({error}); send it as the headers say")
    except MonitorError as error:
        _log.error("api.unavailable", path=request.path, reason=str(error))
        return problem(503, str(error))
    except Exception:  # noqa: BLE001 - a request never ends the server
        _log.exception("api.failed", path=request.path)
        return problem(500, "the monitor failed to answer; its log has the reason (api.failed)")


def _of_http(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if error.status < _CLIENT_FAULT:
        raise error
    details = {
        404: f"there is nothing at {request.path}; /api/openapi.json lists what there is",
        405: f"{request.method} is not possible at {request.path}; see the header Allow",
        413: f"the body is too large; send at most {MAX_BODY} bytes",
    }
    answer = problem(error.status, details.get(error.status, error.reason))
    for name in _KEPT_HEADERS:
        if name in error.headers:
            answer.headers[name] = error.headers[name]
    return answer
