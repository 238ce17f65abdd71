"""API v1: the rollout of a firmware, which the service carries out by itself."""

from typing import Annotated, Final

import msgspec
from aiohttp import web

from gateway.firmware.bundle import BundleError
from gateway.rollout import Order
from gateway.rollout_desk import UnderWayError
from gateway.web.api.answers import Answer, RolloutAnswer, RolloutNodeAnswer
from gateway.web.api.commands import read_body, require_token
from gateway.web.api.parameters import Parameters
from gateway.web.context import CONTEXT
from gateway.web.problem import ApiProblem, bad_request, json_response, not_found
from gateway.web.timeparse import iso_instant
from ingest.errors import ConfigurationError

# A name takes 15 bytes, so ten thousand nodes.
_BODY_MAX: Final = 160 * 1024

NodeId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{12}$")]


class RolloutRequest(Answer, forbid_unknown_fields=True):
    """Which bundle goes to which nodes."""

    bundle: str
    """A signed bundle of the data folder, by its file name."""
    nodes: Annotated[list[NodeId], msgspec.Meta(max_length=10_000)] | None = None
    """Which nodes, in this order; without it all that are online or asleep."""
    canary: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    """So many first; then a tenth, then the rest."""
    trial_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] | None = None
    """Seconds of broker session after which a new version without receipt is given up; without it
    600, or 30 for a node that sleeps, whose sessions last seconds.
    """


async def show(request: web.Request) -> web.Response:
    """`GET /api/v1/rollout`"""
    Parameters(request, ())
    return json_response(_answer(request.app[CONTEXT].control.rollouts.order))


async def begin(request: web.Request) -> web.Response:
    """`POST /api/v1/rollout`"""
    require_token(request)
    context = request.app[CONTEXT]
    asked = await read_body(request, RolloutRequest, "a rollout", _BODY_MAX)
    estate = context.estate()
    for node in asked.nodes or ():
        if context.nodes.get(node) is None and estate.node(node) is None:
            raise not_found(f"no node {node!r} is declared or was heard")
    try:
        order = await context.control.rollouts.begin(
            asked.bundle, asked.nodes, asked.canary, asked.trial_s
        )
    except UnderWayError as error:
        raise ApiProblem(409, "Conflict", str(error)) from error
    except (ConfigurationError, BundleError) as error:
        raise bad_request(str(error)) from error
    return json_response(_answer(order))


async def stop(request: web.Request) -> web.Response:
    """`POST /api/v1/rollout/stop`"""
    require_token(request)
    return json_response(_answer(await request.app[CONTEXT].control.rollouts.stop()))


def _answer(order: Order | None) -> RolloutAnswer:
    if order is None:
        raise not_found("no rollout was ever ordered")
    return RolloutAnswer(
        id=order.id,
        bundle=order.bundle,
        version=order.version,
        state=order.state,
        problem=order.problem,
        canary=order.canary,
        trial_s=order.trial_s,
        began_at=iso_instant(order.began_at_ms),
        ended_at=None if order.ended_at_ms is None else iso_instant(order.ended_at_ms),
        nodes=[
            RolloutNodeAnswer(id=one.node, step=number, state=one.state, error=one.error)
            for number, step in enumerate(order.steps(), 1)
            for one in step
        ],
    )
