"""The firmware over TLS: it talks to a broker of the town's own CA and to no other."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.board.board import VirtualBoard
from tests.servers import (
    Server,
    eventually,
    free_port,
    mosquitto_server,
    require,
    require_micropython,
    running,
)

NODE = "3c71bf4a2b10"
SUBJECT_ALTERNATIVE = "subjectAltName=DNS:localhost"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([require("openssl"), *arguments], cwd=folder, check=True, capture_output=True)


def certificate_authority(folder: Path, name: str) -> None:
    """A P-256 CA: `<name>.key`, `<name>.pem` and, as a node takes it, `<name>.der`."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30")
    files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl(folder, "req", "-x509", *curve, "-subj", f"/CN={name}", *files)
    openssl(folder, "x509", "-in", f"{name}.pem", "-outform", "DER", "-out", f"{name}.der")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    certificate_authority(tmp_path, "town")
    certificate_authority(tmp_path, "stranger")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        tmp_path,
        *("req", *curve, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"),
    )
    (tmp_path / "extensions").write_text(SUBJECT_ALTERNATIVE)
    signed_by = ("-CA", "town.pem", "-CAkey", "town.key", "-CAcreateserial", "-days", "30")
    files = ("-in", "server.csr", "-out", "server.pem", "-extfile", "extensions")
    openssl(tmp_path, "x509", "-req", *files, *signed_by)
    return tmp_path


@pytest.fixture
def broker(keys: Path) -> Iterator[tuple[Server, int]]:
    """A Mosquitto with a plain port for the test and a TLS port for the node."""
    port = free_port()
    extra = (
        f"user root\nlistener {port} 127.0.0.1\ncertfile {keys / 'server.pem'}\n"
        f"keyfile {keys / 'server.key'}\nallow_anonymous true\nlog_type notice\n"
    )
    with running(mosquitto_server(keys, extra=extra)) as server:
        yield server, port


def board_trusting(keys: Path, port: int, authority: str, host: str = "localhost") -> VirtualBoard:
    require_micropython()
    address = {"host": host, "port": port, "tls": True, "ca": ["other.der", "ca.der"]}
    board = VirtualBoard(
        NODE, keys / "board", ("localhost", port), interval_s=1, extra_config={"broker": address}
    )
    board.flash.mkdir(parents=True)
    # Both slots of a node: while the CA is being changed the town has two.
    certificate_authority(keys, "other")
    (board.flash / "other.der").write_bytes((keys / "other.der").read_bytes())
    (board.flash / "ca.der").write_bytes((keys / f"{authority}.der").read_bytes())
    return board


async def test_a_node_connects_to_a_broker_of_its_authority(
    keys: Path, broker: tuple[Server, int]
) -> None:
    async with board_trusting(keys, broker[1], "town") as board:
        await eventually(lambda: any("link: connected" in line for line in board.output))
        assert not any("defect" in line for line in board.output)


async def test_a_node_refuses_a_broker_of_another_authority(
    keys: Path, broker: tuple[Server, int]
) -> None:
    async with board_trusting(keys, broker[1], "stranger") as board:
        # It has refused and come back to refuse again.
        await eventually(lambda: sum("not correctly signed" in x for x in board.output) >= 2)
        assert not any("connected" in line for line in board.output), list(board.output)


async def test_a_node_refuses_a_broker_of_another_name(
    keys: Path, broker: tuple[Server, int]
) -> None:
    """Signed by the town, but for another machine: whoever holds that certificate is no broker."""
    async with board_trusting(keys, broker[1], "town", "127.0.0.1") as board:
        await eventually(lambda: sum("does not match" in x for x in board.output) >= 2)
        assert not any("connected" in line for line in board.output), list(board.output)


async def test_the_next_broker_is_asked_when_the_first_is_none_of_ours(
    keys: Path, broker: tuple[Server, int]
) -> None:
    board = board_trusting(keys, broker[1], "town")
    tls = {"tls": True, "ca": ["ca.der"], "port": broker[1]}
    brokers = [tls | {"host": "127.0.0.1"}, tls | {"host": "localhost"}]
    board.configure(brokers=brokers)
    async with board:
        await eventually(lambda: any("connected to localhost" in line for line in board.output))
    assert any("does not match" in line for line in board.output)
