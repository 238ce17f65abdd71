"""Has nodes take the town's next authority, and sees which of them trust it.

It knows the API of the service, and no files.
"""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ingest.errors import PreauError, TransientError

_AT_ONCE: Final = 16
_AGAIN_S: Final = 2.0
_RESTART_S: Final = 30.0


class Service(Protocol):
    """What a change of the authority asks."""

    async def post(self, path: str, body: dict[str, Any], timeout_s: float) -> Any:
        """Post JSON; the answer's."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What one node trusts, or why that is not known."""

    node: str
    fingerprints: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AuthorityRoll:
    """Asks nodes, each for at most `wait_s`."""

    service: Service
    wait_s: float

    async def ask(self, nodes: Sequence[str], ca: bytes | None = None) -> list[Trust]:
        """What every node trusts; with `ca` (DER) once it has that in its second slot."""
        some_at_once = asyncio.Semaphore(_AT_ONCE)

        async def one(node: str) -> Trust:
            async with some_at_once:
                try:
                    return Trust(node, tuple(await self._trusts(node, ca, self.wait_s)))
                except PreauError as error:
                    return Trust(node, problem=str(error))

        return list(await asyncio.gather(*(one(node) for node in nodes)))

    async def settle(self, nodes: Sequence[str], fingerprint: str) -> list[Trust]:
        """Restart the nodes that trust another authority still, so that they meet the broker's new
        certificate; what each trusts in the end.
        """
        return list(await asyncio.gather(*(self._settle(node, fingerprint) for node in nodes)))

    async def _settle(self, node: str, fingerprint: str) -> Trust:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.wait_s
        trusts: list[str] = []
        is_restarted = False
        try:
            while (left_s := deadline - loop.time()) > 0:
                trusts = await self._trusts(node, None, left_s)
                if trusts == [fingerprint]:
                    return Trust(node, (fingerprint,))
                if not is_restarted:
                    is_restarted = True
                    body = {"do": "restart", "timeout_s": min(left_s, _RESTART_S)}
                    await self.service.post(f"/api/v1/nodes/{node}/commands", body, _RESTART_S)
                await asyncio.sleep(_AGAIN_S)
        except PreauError as error:
            return Trust(node, tuple(trusts), str(error))
        return Trust(node, tuple(trusts), "has not met the broker's new certificate yet")

    async def _trusts(self, node: str, ca: bytes | None, timeout_s: float) -> list[str]:
        body: dict[str, Any] = {"do": "trust", "timeout_s": timeout_s}
        if ca is not None:
            body["ca"] = base64.b64encode(ca).decode()
        reply = await self.service.post(f"/api/v1/nodes/{node}/commands", body, timeout_s)
        if not reply["ok"]:
            raise TransientError(f"refuses: {reply['error'] or 'without reason'}")
        return list(reply["trusts"] or ())
