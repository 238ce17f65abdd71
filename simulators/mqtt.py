"""One MQTT connection of a virtual node: paho-mqtt, driven by the event loop it lives in.

paho is here on purpose: the gateway speaks MQTT through code of its own, and a mistake of that
code would not show against itself. Each connection has a client of its own and never reconnects,
so nothing that paho keeps is ever sent again behind the node's back. It knows no contract.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from socket import EAI_NONAME, IPPROTO_TCP, TCP_NODELAY, gaierror, socket
from typing import TYPE_CHECKING, Final, Literal, Protocol

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    MQTTv311,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.mqtt.address import BrokerAddress
from ingest.errors import TransientError

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

_CONNECT_TIMEOUT_S: Final = 5.0
_GOODBYE_TIMEOUT_S: Final = 1.0
_KEEPALIVE_S: Final = 60
_BEAT_S: Final = 10.0
# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL.
_OTHER_NAMES: Final = frozenset({62, 64})
# MQTT 5's codes, in which paho tells those of 3.1.1 too: version, client id, password, rights.
_REFUSED_FOR_GOOD: Final = range(132, 136)

Refusal = Literal["authority", "name", "not_tls", "silent", "account", "no_host"]


class BrokerAwayError(TransientError):
    """The broker can't be reached, refuses, or the connection has ended."""


class BrokerRefusesError(BrokerAwayError):
    """There is a broker, or none of that name, and trying again will hardly help.

    `why` tells by what: `silent` is one that ends a plain connection without an answer. For a node
    it is away like any other.
    """

    def __init__(self, text: str, why: Refusal) -> None:
        super().__init__(text)
        self.why: Refusal = why


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when the connection breaks without a goodbye."""

    topic: str
    payload: bytes


class Connection(Protocol):
    """What a node's session needs of its way to the broker. Methods belong to the loop's thread."""

    @property
    def is_open(self) -> bool:
        """Whether the broker has accepted us and the connection still stands."""
        ...

    async def open(self) -> None:
        """Connect. Raises `BrokerAwayError`."""
        ...

    def subscribe(self, filters: Sequence[str]) -> None:
        """Ask for topics at QoS 1."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send at QoS 1, once; what is not delivered is forgotten here."""
        ...

    async def close(self) -> None:
        """Say goodbye."""
        ...

    def abort(self) -> None:
        """Drop the connection without a goodbye."""
        ...


class NodeConnection:
    """A clean session from CONNECT to its end. All methods belong to the loop's thread.

    `on_message(topic, payload)` and `on_end()` are called from the loop and must not raise.
    `in_flight` is how many messages may wait for the broker's acknowledgement at once; 0 for
    as many as there are packet identifiers.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        *,
        will: Will | None,
        on_message: Callable[[str, bytes], None],
        on_end: Callable[[], None],
        in_flight: int = 20,
    ) -> None:
        self._address = address
        self._on_message = on_message
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._ended = asyncio.Event()
        self._under_way: set[int] = set()
        self._acknowledged = asyncio.Event()
        self._acknowledged.set()
        self._beat: asyncio.TimerHandle | None = None
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=True,
            protocol=MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.connect_timeout = _CONNECT_TIMEOUT_S
        self._client.max_inflight_messages_set(in_flight)
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        if address.password is not None:
            self._client.username_pw_set(address.username or client_id, address.password)
        tls = _tls_context(address.ca, _changed_ns(address.ca), tls=address.tls)
        if tls is not None:
            self._client.tls_set_context(tls)

    @property
    def is_open(self) -> bool:
        """Whether the broker has accepted us and the connection still stands."""
        return self._client.is_connected() and not self._ended.is_set()

    async def open(self) -> None:
        """Connect, without holding up the loop. Raises `BrokerAwayError`."""
        # paho resolves the name, connects and shakes hands blocking.
        connecting = self._loop.run_in_executor(
            None, self._client.connect, self._address.host, self._address.port, _KEEPALIVE_S
        )
        try:
            await asyncio.shield(connecting)
            self._attach()
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._accepted
        except asyncio.CancelledError:
            connecting.add_done_callback(self._give_up)
            raise
        except (OSError, TimeoutError, BrokerAwayError) as error:
            self.abort()
            raise _explained(error, self._address) from error

    def subscribe(self, filters: Sequence[str]) -> None:
        """Ask for topics at QoS 1."""
        self._client.subscribe([(topic_filter, 1) for topic_filter in filters])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send at QoS 1, once; what a broken connection has not delivered is forgotten here."""
        if self.is_open:
            self._under_way.add(self._client.publish(topic, payload, qos=1, retain=retain).mid)
            self._acknowledged.clear()

    async def close(self) -> None:
        """Say goodbye, so that the broker keeps the will to itself."""
        # paho sends 20 and keeps the next for an acknowledgement, and a socket that is closed over
        # unread ones resets the connection: what a busy broker has not read yet would be lost.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_TIMEOUT_S):
                await self._acknowledged.wait()
        if self.is_open:
            self._client.disconnect()
            try:
                async with asyncio.timeout(_GOODBYE_TIMEOUT_S):
                    await self._ended.wait()
            except TimeoutError:
                self.abort()
        else:
            self.abort()

    def abort(self) -> None:
        """Drop the connection as a power cut would: no goodbye."""
        # `connect_async` ends an established connection at once, and connects to nothing.
        self._client.connect_async(self._address.host, self._address.port)
        self._end()

    def _attach(self) -> None:
        """Take the socket that `connect` opened into the event loop."""
        sock = self._client.socket()
        if not isinstance(sock, socket):
            raise BrokerAwayError("the connection broke while it was opened")
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        # Only now: until `connect` returned, paho would have called from its thread.
        self._client.on_connect = self._handle_connack
        self._client.on_disconnect = self._handle_disconnect
        self._client.on_message = self._handle_message
        self._client.on_publish = self._handle_puback
        self._client.on_socket_close = self._handle_socket_close
        self._client.on_socket_register_write = self._handle_want_write
        self._client.on_socket_unregister_write = self._handle_no_more_write
        self._loop.add_reader(sock, self._read, sock)
        if self._client.want_write():
            self._loop.add_writer(sock, self._client.loop_write)
        self._beat = self._loop.call_later(_BEAT_S, self._keep_alive)

    def _read(self, sock: socket) -> None:
        rc = self._client.loop_read()
        # What TLS has already decrypted does not make the socket readable again.
        hidden = isinstance(sock, ssl.SSLSocket) and sock.fileno() >= 0 and sock.pending()
        if rc == MQTTErrorCode.MQTT_ERR_SUCCESS and hidden:
            self._loop.call_soon(self._read, sock)

    def _keep_alive(self) -> None:
        if not self._ended.is_set():
            self._beat = self._loop.call_later(_BEAT_S, self._keep_alive)
            self._client.loop_misc()

    def _end(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
        if not self._accepted.done():
            self._accepted.cancel()
        if not self._ended.is_set():
            self._ended.set()
            self._acknowledged.set()
            self._on_end()

    def _give_up(self, connecting: asyncio.Future[MQTTErrorCode]) -> None:
        if not connecting.cancelled():
            connecting.exception()
        self.abort()

    def _refuse(self, error: BrokerAwayError) -> None:
        if not self._accepted.done():
            self._accepted.set_exception(error)
            # Whoever waited for it may have been cancelled.
            self._accepted.exception()

    # paho's callbacks: they come from the loop's own calls into the client.

    def _handle_connack(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            words = f"the broker refuses: {reason}"
            is_final = reason.value in _REFUSED_FOR_GOOD
            self._refuse(
                BrokerRefusesError(words, "account") if is_final else BrokerAwayError(words)
            )
        elif not self._accepted.done():
            self._accepted.set_result(None)

    def _handle_disconnect(
        self,
        _client: Client,
        _userdata: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._address.ca is None and not self._address.tls:
            words = "it ends the connection without an answer"
            self._refuse(BrokerRefusesError(words, "silent"))
        else:
            self._refuse(BrokerAwayError(f"the connection broke: {reason}"))
        self._end()

    def _handle_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._on_message(message.topic, bytes(message.payload))

    def _handle_puback(
        self,
        _client: Client,
        _userdata: object,
        mid: int,
        _reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._under_way.discard(mid)
        if not self._under_way:
            self._acknowledged.set()

    def _handle_socket_close(self, _client: Client, _userdata: object, sock: "SocketLike") -> None:
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)

    def _handle_want_write(self, client: Client, _userdata: object, sock: "SocketLike") -> None:
        self._loop.add_writer(sock, client.loop_write)

    def _handle_no_more_write(self, _client: Client, _userdata: object, sock: "SocketLike") -> None:
        self._loop.remove_writer(sock)


def _changed_ns(ca: Path | None) -> int:
    """When the file of an authority was last written; 0 where that can't be told."""
    try:
        return 0 if ca is None else ca.stat().st_mtime_ns
    except OSError:
        # Reading it will say what is wrong.
        return 0


@lru_cache(maxsize=8)
def _tls_context(ca: Path | None, _changed_ns: int, *, tls: bool) -> ssl.SSLContext | None:
    """One for all nodes: the system's authorities are half a megabyte."""
    return BrokerAddress(ca=ca, tls=tls).tls_context()


def _explained(error: Exception, address: BrokerAddress) -> BrokerAwayError:
    """What has kept a connection from being opened, in words for whoever named the broker."""
    why: Refusal
    match error:
        case ssl.SSLCertVerificationError() if error.verify_code in _OTHER_NAMES:
            why, words = "name", f"its certificate is not for {address.host!r}"
        case ssl.SSLCertVerificationError():
            why, words = "authority", f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            why, words = "not_tls", f"it does not speak TLS there ({error.reason})"
        case ConnectionResetError() if address.tls:
            why, words = "not_tls", "it ends the connection when TLS begins"
        case gaierror() if error.errno == EAI_NONAME:
            why, words = "no_host", "no host has that name"
        case BrokerRefusesError():
            why, words = error.why, str(error)
        case _:
            return BrokerAwayError(f"broker {address}: {str(error) or 'no answer in time'}")
    return BrokerRefusesError(f"broker {address}: {words}", why)
