"""`preau demo-town`: what it can't use it tells before it connects to anything."""

from pathlib import Path

import pytest

from gateway.cli import run
from simulators.town import demo_town

NODES = [room.node for room in demo_town().rooms]


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    for node in NODES:
        file = tmp_path / f"{node}.password"
        file.touch(mode=0o600)
        file.write_text("a password\n")
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], passwords: Path, *options: str) -> str:
    """The one line that is said."""
    command = ["demo-town", "--broker", "127.0.0.1:1", "--passwords", str(passwords), *options]
    assert run(command) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    return said.err


def test_a_node_without_a_password_is_named(capsys, passwords: Path):
    (passwords / f"{NODES[3]}.password").unlink()
    assert f"{NODES[3]}.password' can't be read" in refused(capsys, passwords)


def test_a_password_that_others_may_read_is_refused(capsys, passwords: Path):
    (passwords / f"{NODES[3]}.password").chmod(0o644)
    assert "may be used by others" in refused(capsys, passwords)


def test_a_ca_that_is_none_is_told_once_and_not_by_each_node(capsys, passwords: Path):
    (passwords / "ca.pem").write_text("no certificate\n")
    said = refused(capsys, passwords, "--tls-ca", str(passwords / "ca.pem"))
    assert "the broker's CA" in said
