"""Errors of the API as problem details (RFC 9457), and JSON answers."""

import msgspec
from aiohttp import web

PROBLEM_TYPE = "application/problem+json"


class ApiProblem(Exception):  # noqa: N818 - it is an answer, named as the RFC names it
    """A request that gets an error for its answer. `detail` is meant for who wrote the request."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail

    def response(self) -> web.Response:
        """The problem as JSON."""
        return problem_response(self.status, self.title, self.detail)


def bad_request(detail: str) -> ApiProblem:
    """400: a parameter can't be understood."""
    return ApiProblem(400, "Bad request", detail)


def not_found(detail: str) -> ApiProblem:
    """404: what is named does not exist."""
    return ApiProblem(404, "Not found", detail)


def problem_response(status: int, title: str, detail: str) -> web.Response:
    """Problem details without a type of their own: `about:blank`."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type=PROBLEM_TYPE,
        headers={"Cache-Control": "no-store"},
    )


def json_response(answer: object, status: int = 200) -> web.Response:
    """`answer` as JSON, never cached: the next reading changes it."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(answer),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
