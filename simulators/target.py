"""Somebody else's broker, as the command line names it: its address, and whether it lets us in.

It tells before anything is started what trying again would not mend. It knows no scenario.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway.endpoint import valid_host
from gateway.mqtt.address import BrokerAddress
from gateway.secret_file import read_secret
from ingest.errors import ConfigurationError
from simulators.mqtt import BrokerAwayError, BrokerRefusesError, NodeConnection, Refusal

PASSWORD_VARIABLE: Final = "PREAU_SIMULATE_PASSWORD"  # noqa: S105 - its name, not its value
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_AT_ONCE: Final = 64
_REMEDIES: Final[dict[Refusal, str]] = {
    "authority": "; --ca names the certificate that signed it",
    "name": "; name it as its certificate does",
    "not_tls": "; mqtt:// is without TLS",
    "silent": "; if that port wants TLS, write mqtts://",
    "account": "",
    "no_host": "",
}


def parse_broker(target: str, ca: Path | None = None, *, option: str = "--target") -> BrokerAddress:
    """`mqtt://user@host:1883` or `mqtts://user@host:8883`. `ConfigurationError` for anything else.

    A password is taken from PREAU_SIMULATE_PASSWORD: on a command line anybody could read it.
    """
    shown = f"{option} {target!r}"
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{shown}: {error}") from error
    if parts.password is not None:
        raise ConfigurationError(f"{option}: put the password into {PASSWORD_VARIABLE}")
    if parts.scheme not in _PORTS or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigurationError(
            f"{shown}: must look like mqtt://127.0.0.1:1883, or mqtts:// for TLS"
        )
    try:
        host = valid_host(parts.hostname or "")
    except ValueError as error:
        raise ConfigurationError(f"{shown}: the host {error}") from error
    if ca is not None and parts.scheme != "mqtts":
        raise ConfigurationError(f"{shown}: a CA goes with mqtts://")
    password = os.environ.get(PASSWORD_VARIABLE) if parts.username else None
    if parts.username and not password:
        raise ConfigurationError(f"{shown}: put the password into {PASSWORD_VARIABLE}")
    address = BrokerAddress(
        host,
        port or _PORTS[parts.scheme],
        parts.username,
        password,
        ca,
        tls=parts.scheme == "mqtts",
    )
    # Now, and not at each node's connection.
    address.tls_context()
    return address


def read_passwords(
    folder: Path | None, broker: BrokerAddress, nodes: Iterable[str]
) -> dict[str, str] | None:
    """The password of each node, from its NODE.password; none without a folder.

    Raises `ConfigurationError`, which names the first that is missing.
    """
    if folder is None:
        return None
    if broker.username is not None:
        raise ConfigurationError(
            f"--passwords gives each node an account of its own; leave {broker.username}@ out"
        )
    return {node: read_secret(folder / f"{node}.password", "--passwords") for node in nodes}


def address_for(
    node: str, broker: BrokerAddress, passwords: Mapping[str, str] | None
) -> BrokerAddress:
    """The broker as this node knows it: with an account of its own where there are such."""
    if passwords is None:
        return broker
    return replace(broker, username=node, password=passwords[node])


async def check_broker(
    broker: BrokerAddress, nodes: Iterable[str], passwords: Mapping[str, str] | None = None
) -> None:
    """Connect once with every account. `ConfigurationError` where trying again would not help.

    A broker that is not there yet is no such case: nodes go on trying.
    """
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(node: str) -> None:
        async with room:
            await _try(address_for(node, broker, passwords), node)

    names = list(nodes)
    tried = names if passwords is not None else names[:1]
    for result in await asyncio.gather(*map(one, tried), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def _try(broker: BrokerAddress, node: str) -> None:
    connection = NodeConnection(
        broker, node, will=None, on_message=lambda *_: None, on_end=lambda: None
    )
    try:
        await connection.open()
    except BrokerRefusesError as error:
        remedy = _REMEDIES[error.why]
        if error.why == "account":
            account = f" the account {broker.username!r}" if broker.username else " without account"
            raise ConfigurationError(f"{error},{account}{remedy}") from error
        raise ConfigurationError(f"{error}{remedy}") from error
    except BrokerAwayError:
        # It may come yet. The nodes will tell, if it does not.
        return
    await connection.close()
