"""The routes of API v1 and the OpenAPI 3.1 document that describes them, from one table."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.web.api import answers, commands, listings, rollouts
from gateway.web.api.readings import readings
from gateway.web.problem import PROBLEM_TYPE, json_response
from ingest.quantities import QUANTITIES

Handler = Callable[[web.Request], Awaitable[web.Response]]
_Schema = Mapping[str, Any]

_NODE: Final = {"type": "string", "pattern": "^[0-9a-f]{12}$"}
_TEXT: Final = {"type": "string"}
_TIME: Final = "ISO 8601 (a date is its midnight, a time without offset is local) or Unix seconds."


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query."""

    name: str
    text: str
    schema: _Schema
    example: object = None

    def described(self) -> dict[str, Any]:
        """As the document has it."""
        described = {
            "name": self.name,
            "in": "query",
            "description": self.text,
            "schema": dict(self.schema),
        }
        return described if self.example is None else {**described, "example": self.example}


@dataclass(frozen=True, slots=True)
class Operation:
    """One `GET`, what it takes and what it answers."""

    path: str
    name: str
    text: str
    answer: type[answers.Answer]
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[int, ...] = (400, 403, 503)
    other: int | None = None
    """Another status with the same answer."""


def _limit(default: int, most: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return Parameter("limit", "The most entries on a page.", schema)


_CURSOR: Final = Parameter("cursor", "Where this page begins: taken from `next`.", _TEXT)

OPERATIONS: Final = (
    Operation(
        "/api/v1/sites",
        "listSites",
        "Every site with its buildings and rooms.",
        answers.SitesAnswer,
    ),
    Operation(
        "/api/v1/rooms",
        "listRooms",
        "Rooms, the nodes in them, their latest values and how they stand.",
        answers.RoomsAnswer,
        (
            Parameter("site", "Only the rooms of this site.", _TEXT, "jules-ferry"),
            _limit(1000, 10_000),
            _CURSOR,
        ),
    ),
    Operation(
        "/api/v1/nodes",
        "listNodes",
        "Nodes that are declared or were heard, those still to be placed included.",
        answers.NodesAnswer,
        (
            Parameter("node", "Only this node.", _NODE, "3c71bf4a2b10"),
            _limit(1000, 10_000),
            _CURSOR,
        ),
    ),
    Operation(
        "/api/v1/rollout",
        "showRollout",
        "The firmware that is on its way to nodes, or else the last one that was.",
        answers.RolloutAnswer,
        errors=(400, 403, 404, 503),
    ),
    Operation(
        "/api/v1/readings",
        "listReadings",
        "Readings of a node, or of a room from the nodes that were in it at the time: raw, or"
        " averaged over steps that are counted from the Unix epoch. Give either node or room.",
        answers.ReadingsAnswer,
        (
            Parameter("node", "The node.", _NODE, "3c71bf4a2b10"),
            Parameter("room", "The room, `site/room`.", _TEXT, "jules-ferry/salle-1"),
            Parameter(
                "quantity",
                "Which quantity; several by repeating it or with commas. All if left out.",
                {"type": "string", "examples": list(QUANTITIES)},
                "co2",
            ),
            Parameter("channel", "Only this channel.", _TEXT, "main"),
            Parameter(
                "from",
                f"From when, included; a day before `to` if left out. {_TIME}",
                _TEXT,
                "2026-01-05T08:00:00+01:00",
            ),
            Parameter("to", f"Until when, excluded; now if left out. {_TIME}", _TEXT, "1767628800"),
            Parameter(
                "step",
                "Averages over steps of this length: whole seconds, or an ISO 8601 duration of"
                " weeks, days, hours, minutes and seconds. Raw readings if left out.",
                _TEXT,
                "PT15M",
            ),
            _limit(1000, 10_000),
            _CURSOR,
        ),
        (400, 403, 404, 503),
    ),
    Operation(
        "/api/v1/deadletters",
        "listDeadLetters",
        "What nodes sent and could not be used, with the reason.",
        answers.DeadLettersAnswer,
        (
            Parameter("node", "Only of this node.", _NODE, "3c71bf4a2b10"),
            Parameter("reason", "Only with this reason.", _TEXT, "unknown_quantity"),
            Parameter("after", "Only with a greater id.", {"type": "integer", "minimum": 0}),
            _limit(100, 500),
        ),
    ),
    Operation(
        "/healthz",
        "health",
        "Whether readings arrive and are stored.",
        answers.HealthAnswer,
        errors=(),
        other=503,
    ),
)
_ERRORS: Final = {
    400: "A parameter can't be understood; `detail` says which and what would be right.",
    403: "Reading without an account is not open.",
    404: "What is named does not exist.",
    503: "The store can't be read at the moment.",
}
_COMMAND_ERRORS: Final = {
    400: "The command can't be understood; `detail` says what would be right.",
    401: "The token of the data folder's `api.token` is missing or wrong.",
    403: "Reading without an account is not open, and the token is missing or wrong.",
    404: "No such node is declared or was heard.",
    413: "More than 4096 bytes.",
    504: "No reply in time.",
}
_ROLLOUT_ERRORS: Final = {
    **{status: _COMMAND_ERRORS[status] for status in (400, 401, 403, 404)},
    409: "Another rollout is under way.",
    413: "More than 163,840 bytes.",
    503: "The disk refuses to keep the order.",
}
_STOP_ERRORS: Final = {
    401: _COMMAND_ERRORS[401],
    403: _COMMAND_ERRORS[403],
    404: "No rollout was ever ordered.",
}
_FORGET_ERRORS: Final = {
    401: _COMMAND_ERRORS[401],
    403: _COMMAND_ERRORS[403],
    404: "That is no node id.",
}


@cache
def openapi_document() -> dict[str, Any]:
    """The document, as OpenAPI 3.1 wants it."""
    types = [
        *dict.fromkeys(operation.answer for operation in OPERATIONS),
        answers.ProblemAnswer,
        answers.CommandAnswer,
        answers.ForgetAnswer,
        commands.CommandRequest,
        rollouts.RolloutRequest,
    ]
    _, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Any] = {each.path: {"get": _described(each)} for each in OPERATIONS}
    paths["/api/v1/nodes/{node}/commands"] = {"post": _command()}
    paths["/api/v1/nodes/{node}/forget"] = {"post": _forget()}
    paths["/api/v1/rollout"]["post"] = _post(
        "beginRollout",
        "Roll a firmware out: a few nodes, a tenth, all. The service goes on by itself, and stops"
        " where a node refuses, goes back or does not return.",
        "RolloutAnswer",
        _ROLLOUT_ERRORS,
        "RolloutRequest",
    )
    paths["/api/v1/rollout/stop"] = {
        "post": _post(
            "stopRollout",
            "End the rollout under way; nodes that have taken it go on by themselves.",
            "RolloutAnswer",
            _STOP_ERRORS,
        )
    }
    paths["/metrics"] = {"get": _other("metrics", "The text format of Prometheus.", "text/plain")}
    document = _other("openapi", "This document.", "application/json")
    paths["/api/v1/openapi.json"] = {"get": document}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Préau",
            "version": metadata.version("preau"),
            "description": "What the rooms of a town measure: JSON, times in UTC. Reading needs the"
            " operator's leave, having a node do something the token of the gateway's machine.",
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    good = _content(operation.text, "application/json", operation.answer.__name__)
    responses = {"200": good}
    if operation.other is not None:
        responses[str(operation.other)] = good
    for status in operation.errors:
        responses[str(status)] = _content(
            _ERRORS[status], PROBLEM_TYPE, answers.ProblemAnswer.__name__
        )
    return {
        "operationId": operation.name,
        "summary": operation.text,
        "parameters": [parameter.described() for parameter in operation.parameters],
        "responses": responses,
    }


def _forget() -> dict[str, Any]:
    text = "Have the broker retain nothing of a node that is out of service."
    errors = {**_FORGET_ERRORS, 503: "There is no connection to the broker."}
    return _of_a_node(_post("forgetNode", text, "ForgetAnswer", errors))


def _command() -> dict[str, Any]:
    text = "Have a node do something, and wait for its reply."
    errors = {**_COMMAND_ERRORS, 503: _ERRORS[503]}
    return _of_a_node(_post("commandNode", text, "CommandAnswer", errors, "CommandRequest"))


def _of_a_node(operation: dict[str, Any]) -> dict[str, Any]:
    node = {"name": "node", "in": "path", "required": True, "schema": dict(_NODE)}
    return operation | {"parameters": [node]}


def _post(
    name: str, text: str, answer: str, errors: Mapping[int, str], asked: str | None = None
) -> dict[str, Any]:
    """Something that is done, for who holds the token."""
    problems = {
        str(status): _content(said, PROBLEM_TYPE, answers.ProblemAnswer.__name__)
        for status, said in errors.items()
    }
    described: dict[str, Any] = {
        "operationId": name,
        "summary": text,
        "security": [{"token": []}],
        "responses": {"200": _content(text, "application/json", answer), **problems},
    }
    if asked is not None:
        schema = {"schema": {"$ref": f"#/components/schemas/{asked}"}}
        described["requestBody"] = {"required": True, "content": {"application/json": schema}}
    return described


def _content(text: str, media: str, name: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": text, "content": {media: {"schema": schema}}}


def _other(name: str, text: str, media: str) -> dict[str, Any]:
    kind = "object" if media == "application/json" else "string"
    content = {media: {"schema": {"type": kind}}}
    forbidden = _content(_ERRORS[403], PROBLEM_TYPE, answers.ProblemAnswer.__name__)
    return {
        "operationId": name,
        "summary": text,
        "responses": {"200": {"description": text, "content": content}, "403": forbidden},
    }


async def openapi(request: web.Request) -> web.Response:
    """`GET /api/v1/openapi.json`"""
    del request
    return json_response(openapi_document())


API_ROUTES: Final[tuple[tuple[str, Handler], ...]] = (
    ("/api/v1/sites", listings.sites),
    ("/api/v1/rooms", listings.rooms),
    ("/api/v1/nodes", listings.nodes),
    ("/api/v1/readings", readings),
    ("/api/v1/deadletters", listings.dead_letters),
    ("/api/v1/rollout", rollouts.show),
    ("/api/v1/openapi.json", openapi),
)
COMMAND_ROUTES: Final[tuple[tuple[str, Handler], ...]] = (
    ("/api/v1/nodes/{node}/commands", commands.command),
    ("/api/v1/nodes/{node}/forget", commands.forget),
    ("/api/v1/rollout", rollouts.begin),
    ("/api/v1/rollout/stop", rollouts.stop),
)
