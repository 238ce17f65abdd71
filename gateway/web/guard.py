"""What stands around every handler: who may read, how errors look, which headers go out."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from gateway.api_token import is_bearer
from gateway.web.context import CONTEXT
from gateway.web.problem import ApiProblem, problem_response
from gateway.web.render import render_message
from gateway.web.speech import formats_of, keep_choice
from ingest.errors import PreauError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)

_HEADERS: Final = {
    # The chart library writes style attributes; scripts come from files of ours only.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal `on_response_prepare`: errors and streams get the headers too."""
    del request
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "preau"


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as a page for people and as problem details for programs."""
    try:
        response = await handler(request)
    except ApiProblem as problem:
        return problem.response()
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        refused = problem_response(405, "Method not allowed", f"only {allowed} is answered here")
        refused.headers["Allow"] = allowed
        return refused
    except web.HTTPNotFound as error:
        return _missing(request, error)
    except PreauError as error:
        _log.warning("%s: %s", request.path, error)
        return _failed(request, 503, str(error))
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - a request's outer edge: the log has the reason
        _log.exception("%s failed", request.path)
        return _failed(request, 500, "an error that the service's log explains")
    keep_choice(request, response)
    return response


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse reading where the operator has not opened it. Health, the page's looks and firmware
    are open, and everything is to who holds the token of this machine.
    """
    context = request.app[CONTEXT]
    is_open = request.path == "/healthz" or request.path.startswith(("/static/", "/firmware/"))
    may_read = context.read_without_account or is_bearer(
        request.headers.get("Authorization"), context.control.token
    )
    if is_open or may_read:
        return await handler(request)
    if _is_for_program(request):
        detail = "reading without an account is not open: set read_without_account in preau.toml"
        return problem_response(403, "Forbidden", detail)
    return render_message(request, 403, "closed_heading", formats_of(request).texts("error.closed"))


def _missing(request: web.Request, error: web.HTTPNotFound) -> web.StreamResponse:
    if _is_for_program(request):
        return problem_response(404, "Not found", f"there is nothing at {request.path}")
    texts = formats_of(request).texts
    named = error.text if error.text and not error.text.startswith("404") else None
    detail = texts("error.room_missing", room=named) if named else texts("error.missing")
    return render_message(request, 404, "missing_heading", detail)


def _failed(request: web.Request, status: int, reason: str) -> web.StreamResponse:
    if _is_for_program(request):
        return problem_response(status, "The request failed", reason)
    return render_message(
        request, status, "failed_heading", formats_of(request).texts("error.failed")
    )


def _is_for_program(request: web.Request) -> bool:
    return request.path.startswith(
        ("/api/", "/fragments/", "/static/", "/firmware/")
    ) or request.path in (
        "/metrics",
        "/events",
    )
