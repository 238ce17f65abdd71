"""A Mosquitto as a town runs it, made by `preau pki create` and `preau broker config`."""

import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import run

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.mqtt.address import BrokerAddress
from tests.servers import Server, free_port, require

GATEWAY = "passerelle"
HOST = "127.0.0.1"


class TownBroker(Server):
    """Its folder holds `preau-pki`, `estate.toml` and `mosquitto`, what the broker is given."""

    def __init__(self, folder: Path, nodes: Sequence[str]) -> None:
        self.folder = folder
        self.given = folder / "mosquitto"
        main = folder / "main.conf"
        super().__init__(
            [require("mosquitto"), "-c", str(main)], free_port(), folder / "mosquitto.log"
        )
        folder.mkdir(parents=True, exist_ok=True)
        # What Debian's own configuration does, and the tests' user, who may be root.
        main.write_text(
            f"pid_file {folder / 'pid'}\nuser root\npersistence true\n"
            f"persistence_location {folder}/\ninclude_dir {self.given}\n"
        )
        self.declare(*nodes)
        self.preau("pki", "create", "--town", "Trilport", "--host", HOST, "--host", "localhost")
        self.configure()

    def preau(self, *arguments: str) -> str:
        """What the command says; it must succeed."""
        preau = Path(sys.executable).with_name("preau")
        done = run(
            [preau, *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def declare(self, *nodes: str) -> None:
        """Have exactly these in the estate."""
        text = "".join(f'[[node]]\nid = "{node}"\n' for node in nodes)
        (self.folder / "estate.toml").write_text(text)

    def configure(self, *options: str) -> str:
        """`preau broker config` for the estate of now."""
        out = ("--out", str(self.given), "--host", HOST, "--port", str(self.port))
        return self.preau("broker", "config", *out, *options)

    def reconfigure(self) -> str:
        """The same, and tell the running broker."""
        return self.configure("--pid-file", str(self.folder / "pid"))

    @property
    def ca(self) -> Path:
        return self.folder / "preau-pki" / "ca.pem"

    def password_file(self, user: str) -> Path:
        return self.given / "credentials" / f"{user}.password"

    def password(self, user: str) -> str:
        return self.password_file(user).read_text().strip()

    def address(self, user: str) -> BrokerAddress:
        return BrokerAddress(HOST, self.port, user, self.password(user), self.ca)


class TownClient:
    """A client of the broker in a thread of its own. `received` holds topics and payloads."""

    def __init__(self, broker: TownBroker, user: str | None, password: str | None) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.answer = ""
        self._broker = broker
        self._user, self._password = user, password
        self._answered = threading.Event()
        self._granted = threading.Event()
        self._ended = threading.Event()

    @property
    def is_in(self) -> bool:
        return self._client.is_connected()

    @contextmanager
    def connected(self, client_id: str = "", *, session: bool = False) -> Iterator["TownClient"]:
        """A connection until the end of the block; `answer` is what the broker said to it."""
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            reconnect_on_failure=False,
            # As the gateway, which has a session, and as a node, which has none.
            protocol=MQTTv5 if session else MQTTv311,
        )
        self._answered.clear()
        self._client.on_connect = self._take_answer
        self._client.on_message = self._take
        self._client.on_subscribe = lambda *_: self._granted.set()
        self._client.on_disconnect = lambda *_: self._ended.set()
        if self._user is not None:
            self._client.username_pw_set(self._user, self._password)
        self._client.tls_set_context(ssl.create_default_context(cafile=self._broker.ca))
        self._connect(session=session)
        self._client.loop_start()
        try:
            assert self._answered.wait(10)
            yield self
        finally:
            self._client.disconnect()
            self._client.loop_stop()
            # It closes its sockets when it goes, which it does not while it and we hold each other.
            del self._client

    def subscribe(self, *filters: str) -> None:
        for one in filters:
            self._granted.clear()
            self._client.subscribe(one, qos=1)
            assert self._granted.wait(10)

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> None:
        """Publish and wait for the broker's acknowledgement, which it gives in any case."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def post(self, topic: str, payload: bytes) -> None:
        """Publish without waiting; `settle` waits for all."""
        self._posted = self._client.publish(topic, payload, qos=1)

    def settle(self) -> None:
        """Return once the broker has acknowledged the last message, and so all."""
        self._posted.wait_for_publish(30)

    def is_thrown_out(self, within_s: float) -> bool:
        return self._ended.wait(within_s)

    def _connect(self, *, session: bool) -> None:
        if not session:
            self._client.connect(HOST, self._broker.port)
            return
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client.connect(HOST, self._broker.port, clean_start=False, properties=properties)

    def _take_answer(self, _client, _data, _flags, reason, _properties) -> None:
        self.answer = str(reason)
        self._answered.set()

    def _take(self, _client, _data, message: MQTTMessage) -> None:
        self.received.append((message.topic, message.payload))
