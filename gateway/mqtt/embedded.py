"""The embedded broker: `iotcore` (rumqttd) in a process of its own, for a house without Mosquitto.

rumqttd can't be stopped inside a process, so `python -m gateway.mqtt.embedded CONFIG` runs it and
ends with its parent. It listens for MQTT 3.1.1. It must not know the gateway's session.
"""

import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.mqtt.address import BrokerAddress
from ingest.errors import ConfigurationError, TransientError

log = logging.getLogger(__name__)

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 3.0
_MAX_CONNECTIONS = 12_000
# Above the contract's 16 KiB on purpose: a pack that is too large has to arrive to be refused,
# here the broker would only hang up on its node again and again.
_MAX_PAYLOAD_BYTES = 256 * 1024


class EmbeddedBroker:
    """A broker that lives as long as its `async with` block.

    Off the loopback it wants `credentials` (user name to password). Entering raises
    ConfigurationError when the port is taken or the address can't be listened on.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 1883,
        *,
        credentials: Mapping[str, str] | None = None,
        max_inflight: int = 5000,
    ) -> None:
        self._ip = _listening_address(host)
        if not self._ip.is_loopback and not credentials:
            raise ConfigurationError(
                f"the embedded broker does not listen on {host!r} without credentials: anyone on "
                "that network could publish; keep it on 127.0.0.1, or set a user name and password"
            )
        self._port = port
        self._credentials = dict(credentials or {})
        self._max_inflight = max_inflight
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def address(self) -> BrokerAddress:
        """Where a client on this machine reaches it, with the first of its credentials."""
        username, password = next(iter(self._credentials.items()), (None, None))
        host = str(self._ip)
        if self._ip.is_unspecified:
            host = "127.0.0.1" if self._ip.version == 4 else "::1"
        return BrokerAddress(host, self._port, username, password)

    @property
    def pid(self) -> int | None:
        """The broker's process, None while it is stopped."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start it and wait until it takes connections; whatever an earlier one held is gone."""
        self._refuse_taken_port()
        with tempfile.TemporaryDirectory(prefix="preau-broker-") as folder:
            config = self._write_config(Path(folder))
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway.mqtt.embedded", str(config)),
                stdin=asyncio.subprocess.PIPE,
                # Ctrl-C in the terminal is for the gateway, which then says goodbye to us first.
                start_new_session=True,
            )
            listens = False
            try:
                async with asyncio.timeout(_START_TIMEOUT_S):
                    await self._until_listening(self._process)
                listens = True
            except TimeoutError as error:
                raise TransientError(
                    f"the embedded broker did not listen on {self.address} "
                    f"within {_START_TIMEOUT_S:g} s"
                ) from error
            finally:
                if not listens:
                    await self.stop()
        log.info("the embedded broker listens on %s", self.address)

    async def stop(self) -> None:
        """End it; nothing it held survives."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def wait(self) -> None:
        """Return when the broker's process has ended, for whoever wants to start it again."""
        if self._process is not None:
            await self._process.wait()

    def _refuse_taken_port(self) -> None:
        family = socket.AF_INET6 if self._ip.version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((str(self._ip), self._port))
            except OSError as error:
                raise ConfigurationError(
                    f"the embedded broker can't listen on port {self._port} of {self._ip}: "
                    f"{os.strerror(error.errno or 0)}; choose another with "
                    "broker.port in preau.toml or PREAU_BROKER__PORT"
                ) from error

    def _write_config(self, folder: Path) -> Path:
        # Passwords stand in it; a temporary folder is its owner's alone.
        path = folder / "rumqttd.toml"
        path.write_text(self._config(), encoding="utf-8")
        return path

    def _config(self) -> str:
        host = f"[{self._ip}]" if self._ip.version == 6 else str(self._ip)
        lines = [
            "id = 0",
            "[router]",
            "id = 0",
            f"max_connections = {_MAX_CONNECTIONS}",
            "max_outgoing_packet_count = 200",
            "max_segment_size = 104857600",
            "max_segment_count = 10",
            "[v4.1]",
            'name = "preau"',
            f'listen = "{host}:{self._port}"',
            "next_connection_delay_ms = 1",
            "[v4.1.connections]",
            "connection_timeout_ms = 5000",
            f"max_payload_size = {_MAX_PAYLOAD_BYTES}",
            f"max_inflight_count = {self._max_inflight}",
            "dynamic_filters = true",
        ]
        if self._credentials:
            lines.append("[v4.1.connections.auth]")
            # A JSON string is a TOML basic string as well.
            lines += [f"{json.dumps(k)} = {json.dumps(v)}" for k, v in self._credentials.items()]
        return "\n".join(lines) + "\n"

    async def _until_listening(self, process: asyncio.subprocess.Process) -> None:
        while not await self._is_listening():
            if process.returncode is not None:
                raise TransientError(
                    f"the embedded broker ended at once with status {process.returncode}"
                )
            await asyncio.sleep(0.02)

    async def _is_listening(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(self.address.host, self._port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True


def _listening_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError as error:
        raise ConfigurationError(
            f"the embedded broker listens on an IP address, and {host!r} is none; "
            "for this machine alone it is 127.0.0.1"
        ) from error


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Run the broker that the given file describes until standard input is closed."""
    from iotcore.iotcore import IotCoreBroker  # noqa: PLC0415 - costs the gateway 8 MB otherwise

    logging.basicConfig(format="broker: %(message)s")
    # It logs each packet at level ERROR.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    IotCoreBroker(config_path=sys.argv[1]).run_forever()


if __name__ == "__main__":
    main()
