"""Opens the session with the broker whose turn it is: with each authority and each password that
may be in force. Loaded for that and dropped.

It works on a `Link`; it must not know when to try again.
"""

import asyncio

import seldom
from diary import note
from mqtt import MqttError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from link import Link
    from mqtt import Client
    from node_types import Will


async def connect(link: Link, client: Client, will: Will, topics: list[str]) -> None:
    """Raises MqttError, OSError, and ValueError for a certificate."""
    broker = link.broker
    if not broker.get("host"):
        raise OSError("no broker is configured")
    paths = broker.get("ca", [])
    slots = seldom.run("trust", "slots", paths) if broker.get("tls") else [None]
    for trusted in slots:
        try:
            await _connect(link, client, will, topics, trusted)
            break
        except ValueError as error:
            if trusted == slots[-1]:
                raise
            # The broker has no certificate of the new authority yet.
            note("link: with the other authority,", error)
            await _hang_up(client)
    if trusted != slots[-1]:
        _prove(link, client, "trust", "promote", paths)


async def _connect(
    link: Link, client: Client, will: Will, topics: list[str], trusted: list[str] | None
) -> None:
    """With each password that may be in force. `trusted` are files, or None for plain TCP."""
    broker = link.broker
    host, port = broker["host"], broker.get("port", 8883 if trusted else 1883)
    context = seldom.run("trust", "tls_context", trusted) if trusted is not None else None
    user = broker.get("user") or link.node
    known = seldom.run("passwords", "known", broker.get("password"))
    for password in known:
        link.password = password
        try:
            await seldom.wait(
                "mqtt_open", "connect", client, host, port, user, password, will, context, topics
            )
            break
        except MqttError as error:
            if password == known[-1]:
                raise
            # While it is being changed either may be the one in force.
            note("link: with the other password,", error)
            await _hang_up(client)
    note("link: connected to {}:{}".format(host, port))
    if link.password == known[0] and len(known) > 1:
        _prove(link, client, "passwords", "settle", link.settings)


def _prove(*arguments: Any) -> None:
    # Loaded, and not run: this module is gone before it ends.
    asyncio.create_task(seldom.load("proof").prove(*arguments))  # noqa: RUF006 - it holds itself


async def _hang_up(client: Client) -> None:
    """Frees the socket of a client that was refused, for its next try."""
    if client.opened:
        client.opened = False
        client.writer.close()
        await client.writer.wait_closed()
