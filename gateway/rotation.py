"""Gives nodes new passwords at the broker, with no step after which one is locked out.

A node first keeps the new password beside the old and says so; only then the broker changes; the
node tries both until the gateway answers under the new one. The new password lies in a file of mode
0600 from before the node hears of it until it is in use, so whatever is broken off when, doing it
again goes on with the same one. It knows the API of the service, and no connection to the broker.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from gateway.atomic_file import read_private, remove_file, write_atomically
from gateway.mosquitto.accounts import CHANGING, Accounts
from gateway.mosquitto.passwords import is_password, new_password
from gateway.mosquitto.reload import reload_broker
from ingest.errors import ConfigurationError, PreauError, TransientError

_AT_ONCE: Final = 16
_AGAIN_S: Final = 0.5
_IN_USE: Final = "in_use"


class Service(Protocol):
    """What a rotation asks."""

    async def post(self, path: str, body: dict[str, Any], timeout_s: float) -> Any:
        """Post JSON; the answer's."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """New passwords for accounts in the `folder` of a Mosquitto.

    `tell` gets a line for each step of a node, never a password.
    """

    service: Service
    folder: Path
    credentials: Path
    pid_file: Path | None
    wait_s: float
    """For how long a node is waited for, each time."""
    tell: Callable[[str], None]

    async def run(self, nodes: Sequence[str]) -> list[str]:
        """Rotate all of `nodes`; what failed, in words. The others are done.

        Raises `ConfigurationError` where the broker's files can't be used.
        """
        passwords = self._drawn(nodes)
        states, failed = await self._each(passwords, self._hand_over)
        if states:
            self._change({node: passwords[node] for node in states})
        done, late = await self._each({node: passwords[node] for node in states}, self._confirm)
        for node in done:
            remove_file(self._file(node))
        return failed + late

    def _file(self, node: str) -> Path:
        return self.credentials / f"{node}{CHANGING}"

    def _drawn(self, nodes: Sequence[str]) -> dict[str, str]:
        """The new password of each, on disk before anybody hears of it."""
        with Accounts.changing(self.folder, self.credentials) as accounts:
            unknown = [node for node in nodes if node not in accounts.hashes]
            if unknown:
                raise ConfigurationError(
                    f"{', '.join(unknown)}: no account in {accounts.file}; "
                    "type: preau broker config"
                )
            return {node: self._begun(node) or self._begin(node) for node in nodes}

    def _begun(self, node: str) -> str | None:
        file = self._file(node)
        if not file.exists():
            return None
        password = read_private(file).decode("ascii", "replace").strip()
        # What is not whole was never handed to anybody.
        return password if is_password(password) else None

    def _begin(self, node: str) -> str:
        password = new_password()
        write_atomically(self._file(node), f"{password}\n".encode())
        return password

    async def _each(
        self, passwords: dict[str, str], step: Callable[[str, str], Any]
    ) -> tuple[list[str], list[str]]:
        """The nodes that `step` did, and a sentence for each other."""
        done: list[str] = []
        failed: list[str] = []
        some_at_once = asyncio.Semaphore(_AT_ONCE)

        async def one(node: str, password: str) -> None:
            async with some_at_once:
                try:
                    await step(node, password)
                    done.append(node)
                except PreauError as error:
                    failed.append(f"{node}: {error}")

        async with asyncio.TaskGroup() as tasks:
            for node, password in passwords.items():
                tasks.create_task(one(node, password))
        return done, failed

    async def _hand_over(self, node: str, password: str) -> None:
        """The node has it on its flash when this returns."""
        await self._ask(node, password, self.wait_s)
        self.tell(f"{node}: has the new password beside the old")

    def _change(self, passwords: dict[str, str]) -> None:
        """From here on the broker takes the new ones, and the old ones no more."""
        with Accounts.changing(self.folder, self.credentials) as accounts:
            for node, password in passwords.items():
                # A node that was removed meanwhile stays out.
                if node not in accounts.hashes:
                    continue
                accounts.set_password(node, password)
                if accounts.password_file(node).exists():
                    # Nobody has called for it: whoever does is to get the one in force.
                    write_atomically(accounts.password_file(node), f"{password}\n".encode())
            accounts.save()
        if self.pid_file is not None:
            reload_broker(self.pid_file)
            self.tell("the broker was told the new passwords")
        else:
            self.tell(
                "now have Mosquitto reload: systemctl reload mosquitto; waiting for the nodes"
            )

    async def _confirm(self, node: str, password: str) -> None:
        """Returns once the node is connected with it. Raises `PreauError`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.wait_s
        while (left_s := deadline - loop.time()) > 0:
            if await self._ask(node, password, left_s) == _IN_USE:
                self.tell(f"{node}: uses the new password, the old one is refused")
                return
            await asyncio.sleep(_AGAIN_S)
        raise TransientError("is still connected with the old password; has Mosquitto reloaded?")

    async def _ask(self, node: str, password: str, timeout_s: float) -> str:
        body = {"do": "rotate", "password": password, "timeout_s": timeout_s}
        reply = await self.service.post(f"/api/v1/nodes/{node}/commands", body, timeout_s)
        if not reply["ok"]:
            raise TransientError(f"refuses: {reply['error'] or 'without reason'}")
        return str(reply["state"])
