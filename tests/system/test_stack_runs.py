"""What `preau init --docker` writes, run without Docker: the broker that it configures, the gateway
with its settings, the nodes of its simulated town. Only ports and paths are other ones.
"""

import asyncio
import json
import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from simulators.town import demo_town
from tests.http_peer import http_peer
from tests.influx2_peer import Influx2Peer
from tests.servers import Server, eventually, free_port, require, running
from tests.stack import PREAU, init_stack

ROOMS = demo_town().rooms


@pytest.fixture
def stack() -> Iterator[Path]:
    """A stack with the simulated town, in a folder that its owner can reach."""
    with TemporaryDirectory(prefix="preau-stack-") as place:
        # pytest's own folders are closed to whoever else the stack may belong to.
        Path(place).chmod(0o755)
        folder = Path(place) / "stack"
        # The broker is reached by its name in Docker there, and on the loopback here.
        init_stack(folder, "--demo", "--host", "127.0.0.1", "--host", "localhost")
        yield folder


@pytest.fixture
def mosquitto(stack: Path, tmp_path: Path) -> Iterator[Server]:
    """Debian's Mosquitto with the stack's configuration, as the stack's owner."""
    port, conf = free_port(), stack.parent / "mosquitto.conf"
    text = (stack / "mosquitto" / "mosquitto.conf").read_text()
    text = text.replace("/mosquitto/config/", f"{stack}/mosquitto/")
    assert text.count("\nlistener 8883\n") == 1
    conf.write_text(text.replace("\nlistener 8883\n", f"\nlistener {port} 127.0.0.1\n"))
    command = [require("mosquitto"), "-c", conf]
    if os.geteuid() == 0:
        owner = stack.stat()
        ids = [f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
        command = ["setpriv", *ids, *command]
    with running(Server(command, port, tmp_path / "mosquitto.log")) as server:
        yield server


async def answer_to(port: int, ca: Path | None, user: str | None, password: str | None) -> str:
    """What the broker says to a client: the reason of its CONNACK, or that it just closes."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[str] = loop.create_future()

    def tell(text: str) -> None:
        if not said.done():
            said.set_result(text)

    client = Client(CallbackAPIVersion.VERSION2, user or "someone")
    if ca is not None:
        client.tls_set_context(ssl.create_default_context(cafile=str(ca)))
    if user is not None:
        client.username_pw_set(user, password)
    client.on_connect = lambda _c, _u, _f, reason, _p: loop.call_soon_threadsafe(tell, str(reason))
    client.on_disconnect = lambda *_: loop.call_soon_threadsafe(tell, "closed")
    await asyncio.to_thread(client.connect, "127.0.0.1", port)
    client.loop_start()
    try:
        return await asyncio.wait_for(said, 10)
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)


async def test_the_broker_lets_in_gateway_and_nodes_and_nobody_else(mosquitto: Server, stack: Path):
    ca, node = stack / "gateway" / "ca.pem", ROOMS[0].node
    gateway = (stack / "gateway" / "broker.password").read_text().strip()
    own = (stack / "credentials" / f"{node}.password").read_text().strip()

    assert await answer_to(mosquitto.port, ca, "passerelle", gateway) == "Success"
    assert await answer_to(mosquitto.port, ca, node, own) == "Success"
    assert await answer_to(mosquitto.port, ca, None, None) == "Not authorized"
    assert await answer_to(mosquitto.port, ca, node, gateway) == "Not authorized"
    assert await answer_to(mosquitto.port, ca, "3c71bf4affff", own) == "Not authorized"
    assert await answer_to(mosquitto.port, None, node, own) == "closed"
    with pytest.raises(ssl.SSLCertVerificationError):
        # By the authorities that this machine knows it is nobody's.
        await asyncio.open_connection("127.0.0.1", mosquitto.port, ssl=ssl.create_default_context())


async def test_a_node_that_is_new_in_the_estate_is_let_in_without_a_restart(
    mosquitto: Server, stack: Path
):
    ca, node = stack / "gateway" / "ca.pem", "3c71bf4affff"
    with (stack / "estate" / "estate.toml").open("a") as estate:
        estate.write(f'\n[[node]]\nid = "{node}"\n')
    init_stack(stack)
    password = (stack / "credentials" / f"{node}.password").read_text().strip()
    assert await answer_to(mosquitto.port, ca, node, password) == "Not authorized"

    # As `docker compose kill -s HUP mosquitto` does.
    assert mosquitto.process is not None
    mosquitto.process.send_signal(signal.SIGHUP)

    async def is_let_in() -> bool:
        return await answer_to(mosquitto.port, ca, node, password) == "Success"

    await eventually(is_let_in, what="the broker did not read its accounts again")


class StackGateway(Server):
    """`preau run` with the stack's own preau.toml; the environment says what is elsewhere here."""

    def __init__(self, stack: Path, folder: Path, broker_port: int) -> None:
        port = free_port()
        settings = stack / "gateway" / "preau.toml"
        super().__init__(
            [PREAU, "run", "--settings", settings],
            port,
            folder / "gateway.log",
            PREAU_DATA__DIR=str(folder / "data"),
            PREAU_BROKER__HOST="127.0.0.1",
            PREAU_BROKER__PORT=str(broker_port),
            PREAU_HTTP__HOST="127.0.0.1",
            PREAU_HTTP__PORT=str(port),
        )

    async def get(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return answer.status, await answer.text()


async def run_preau(*arguments: object) -> str:
    """What a command says; it does not fail."""
    process = await asyncio.create_subprocess_exec(
        PREAU,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


def told_where(stack: Path, influxdb: str) -> None:
    """The gateway's settings, with InfluxDB at another address."""
    settings = stack / "gateway" / "preau.toml"
    text = settings.read_text()
    assert "http://influxdb:8086" in text
    settings.write_text(text.replace("http://influxdb:8086", influxdb))


async def test_the_gateway_starts_only_once_influxdb_has_been_set_up(stack: Path):
    done = await asyncio.create_subprocess_exec(
        PREAU,
        "run",
        "--settings",
        stack / "gateway" / "preau.toml",
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PREAU_DATA__DIR": str(stack / "data"), "PREAU_HTTP__PORT": "0"},
    )
    _, err = await done.communicate()

    assert done.returncode == 2
    assert "influxdb.token' is empty" in err.decode()


async def test_a_simulated_town_goes_all_the_way(mosquitto: Server, stack: Path, tmp_path: Path):
    """Nodes with an account each, over TLS, through broker and gateway into InfluxDB."""
    influxdb = Influx2Peer()
    async with http_peer(rule=influxdb.rule) as peer:
        told_where(stack, peer.url)
        tokens = stack / "tokens"
        await run_preau(
            *("influxdb", "setup", "--url", peer.url),
            *("--password-file", stack / "influxdb" / "admin.password"),
            *("--operator-token-file", stack / "influxdb" / "operator.token"),
            *("--writer", tokens / "gateway" / "influxdb.token"),
            *("--reader", tokens / "grafana" / "influxdb.token"),
        )
        gateway = StackGateway(stack, tmp_path, mosquitto.port)
        # The wait for its port would hold up the peer, which answers from this loop.
        await asyncio.to_thread(gateway.start)
        town = Town(stack, tmp_path, mosquitto.port)
        try:
            await eventually(lambda: is_well(gateway), what="the gateway is not well")
            town.start()
            rooms = await eventually(lambda: rooms_with_past(gateway, 2 * 12), deadline_s=60)
            await eventually(lambda: len(influxdb.lines) > 12 * 12, deadline_s=60)
        finally:
            town.stop()
            await asyncio.to_thread(gateway.stop)

    assert len(rooms) == len(ROOMS) == 12
    assert any(line.startswith(b"room_air,") for line in influxdb.lines)
    assert (tmp_path / "town.log").read_text().startswith("preau demo-town: 12 nodes, 144 packs")


class Town(Server):
    """`preau demo-town` as compose.demo.yaml starts it. It listens nowhere."""

    def __init__(self, stack: Path, folder: Path, broker_port: int) -> None:
        command = [PREAU, "demo-town", "--broker", f"127.0.0.1:{broker_port}", "--days=0.0416"]
        command += ["--tls-ca", stack / "gateway" / "ca.pem"]
        command += ["--passwords", stack / "credentials"]
        # Its "port" is the broker's, which listens already.
        super().__init__(command, broker_port, folder / "town.log", PYTHONUNBUFFERED="1")


async def is_well(gateway: StackGateway) -> bool:
    return (await gateway.get("/healthz"))[0] == 200


async def rooms_with_past(gateway: StackGateway, readings: int) -> list[str] | None:
    """All rooms, once each of them has so many readings."""
    found = []
    for room in ROOMS:
        status, text = await gateway.get(
            f"/api/v1/readings?room={room.ref}&quantity=temperature,co2"
        )
        assert status == 200, text
        if sum(len(series["readings"]) for series in json.loads(text)["series"]) < readings:
            return None
        found.append(room.ref)
    return found
