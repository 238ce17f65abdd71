"""API v1: has a node do something. The only part that changes anything, and only with the token."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from aiohttp import web

from gateway.api_token import is_bearer
from gateway.firmware.bundle import BundleError
from gateway.node_commands import NoReplyError, Reply
from gateway.web.api.answers import Answer, CommandAnswer, ForgetAnswer
from gateway.web.context import CONTEXT
from gateway.web.problem import ApiProblem, bad_request, json_response, not_found
from ingest.errors import ConfigurationError
from ingest.topics import is_node_id

_BODY_MAX: Final = 4096

_LOOK_S: Final = 0.5
Asked = TypeVar("Asked", bound="Answer")

Timeout = Annotated[float, msgspec.Meta(gt=0, le=8 * 86_400)]
"""Six days is the longest that a node may sleep between two sendings."""


class CommandRequest(Answer, forbid_unknown_fields=True):
    """What a node is to do. `ppm` is for `calibrate_co2`; `bundle` and `trial_s` for `update`;
    `password` for `rotate`; `ca` for `trust`, which without it only asks.
    """

    do: Literal["identify", "restart", "send_log", "calibrate_co2", "update", "rotate", "trust"]
    timeout_s: Timeout = 30.0
    """How long to wait for the node and its reply, eight days at most. Afterwards, or once whoever
    asked has closed the connection, the command is void.
    """
    ppm: Annotated[int, msgspec.Meta(ge=400, le=450)] | None = None
    bundle: str | None = None
    """A signed bundle of the data folder, by its file name."""
    trial_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 600
    """Seconds of broker session after which a new version without receipt is given up."""
    password: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$")] | None = None
    """128 random bits as hex digits. It is handed to the node and kept nowhere."""
    ca: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/=]{4,920}$")] | None = None
    """The certificate of an authority, DER in base64."""


async def command(request: web.Request) -> web.Response:
    """`POST /api/v1/nodes/{node}/commands`"""
    context = request.app[CONTEXT]
    require_token(request)
    node = request.match_info["node"]
    known = context.nodes.get(node) is not None or context.estate().node(node) is not None
    if not is_node_id(node) or not known:
        raise not_found(f"no node {node[:40]!r} is declared or was heard")
    asked = await read_body(request, CommandRequest, "a command")
    try:
        fields = _fields(asked, request)
        asking = context.control.commands.ask(node, asked.do, fields, asked.timeout_s)
        reply = await _while_heard(request, asking)
    except NoReplyError as error:
        raise ApiProblem(504, "No reply", str(error)) from error
    return json_response(_answer(reply))


async def forget(request: web.Request) -> web.Response:
    """`POST /api/v1/nodes/{node}/forget`"""
    control = request.app[CONTEXT].control
    require_token(request)
    node = request.match_info["node"]
    # One that was taken out of the estate is known to nobody any more.
    if not is_node_id(node):
        raise not_found(f"{node[:40]!r} is no node id")
    control.retained.forget(node)
    return json_response(ForgetAnswer(node=node))


async def _while_heard(request: web.Request, asking: Coroutine[Any, Any, Reply]) -> Reply:
    """The reply, unless whoever asked goes away: what nobody waits for is withdrawn."""
    task = asyncio.create_task(asking)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=_LOOK_S)
            if request.transport is None or request.transport.is_closing():
                raise ApiProblem(504, "Withdrawn", "whoever asked has gone")
        return task.result()
    finally:
        task.cancel()


def require_token(request: web.Request) -> None:
    """Raises `ApiProblem` for who does not hold the token of this machine."""
    if not is_bearer(request.headers.get("Authorization"), request.app[CONTEXT].control.token):
        raise ApiProblem(401, "Unauthorized", "send the token of the data folder's api.token")


async def read_body(
    request: web.Request, kind: type[Asked], named: str, most: int = _BODY_MAX
) -> Asked:
    """The body as `kind`. Raises `ApiProblem`."""
    body = b""
    while len(body) <= most and (piece := await request.content.read(most + 1)):
        body += piece
    if len(body) > most:
        raise ApiProblem(413, "Too large", f"{named} has at most {most} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"no {named.removeprefix('a ')}: {error}") from error


def _fields(asked: CommandRequest, request: web.Request) -> dict[str, Any]:
    if asked.do == "calibrate_co2":
        if asked.ppm is None:
            raise bad_request("calibrate_co2 needs ppm, what the air holds: 400 to 450")
        return {"ppm": asked.ppm}
    if asked.do == "update":
        if asked.bundle is None:
            raise bad_request("update needs bundle, a file of firmware/ in the data folder")
        try:
            offer = request.app[CONTEXT].control.offers.fields(asked.bundle)
        except (ConfigurationError, BundleError) as error:
            raise bad_request(str(error)) from error
        return offer | {"trial_s": asked.trial_s}
    if asked.do == "trust":
        return {"ca": asked.ca} if asked.ca is not None else {}
    if asked.do == "rotate":
        return _new_password(asked, request)
    return {}


def _new_password(asked: CommandRequest, request: web.Request) -> dict[str, Any]:
    if asked.password is None:
        raise bad_request("rotate needs password, 32 hex digits")
    if not request.app[CONTEXT].control.has_tls:
        raise bad_request("rotate needs TLS to the broker: set broker.tls_ca in preau.toml")
    return {"password": asked.password}


def _answer(reply: Reply) -> CommandAnswer:
    return CommandAnswer(
        id=reply.id,
        ok=reply.ok,
        error=reply.error,
        log=reply.log,
        correction_ppm=reply.correction_ppm,
        state=reply.state,
        trusts=reply.trusts,
    )
