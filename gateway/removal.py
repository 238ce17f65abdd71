"""What else happens when a node goes out of service, beside the end of its placement in the estate.

Whoever keeps something for a node elsewhere (an account at the broker, retained topics) writes an
`AfterRemoval`; `preau node remove` puts the list together. Each must bear being repeated.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.api_token import FILE_NAME
from gateway.local_service import LocalService
from gateway.mosquitto.accounts import Accounts
from gateway.mosquitto.reload import reload_broker
from gateway.settings import Settings

_FORGET_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class AfterRemoval:
    """One thing to do for a node. `run` returns what it did, or raises a `PreauError`."""

    what: str
    """A noun for people: `its account at the broker`."""
    run: Callable[[str], str]


def account_revoked(folder: Path, credentials: Path, pid_file: Path | None) -> AfterRemoval:
    """The node's account in the folder of a Mosquitto goes, which is told so by its process id."""

    def run(node: str) -> str:
        with Accounts.changing(folder, credentials) as accounts:
            had_one = node in accounts.hashes
            accounts.sync([user for user in accounts.hashes if user != node])
            accounts.save()
        if pid_file is not None:
            reload_broker(pid_file)
        return "its account at the broker is gone" if had_one else "it has no account at the broker"

    return AfterRemoval("its account at the broker", run)


def retained_cleared(settings: Settings) -> AfterRemoval:
    """What the broker retains of the node goes, through the running service, which is connected."""

    def run(node: str) -> str:
        if not (settings.data.dir / FILE_NAME).exists():
            return "no service has run here: the broker retains nothing of it"
        service = LocalService(settings)
        asyncio.run(service.post(f"/api/v1/nodes/{node}/forget", {}, _FORGET_S))
        return "the broker retains nothing of it"

    return AfterRemoval("what the broker retains of it", run)
