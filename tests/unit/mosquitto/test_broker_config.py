"""`preau broker config`: the folder it writes, who has an account in it, and what it refuses."""

import fcntl
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.mosquitto.accounts import Accounts
from gateway.mosquitto.passwords import matches
from tests.servers import require

FIRST = "3c71bf4a2b10"
SECOND = "3c71bf4a2b11"
OUT = Path("mosquitto")


@pytest.fixture(autouse=True)
def _town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for name in [name for name in os.environ if name.startswith("PREAU_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    declare(FIRST)
    assert run(["pki", "create", "--host", "mqtt.trilport.fr", "--town", "Trilport"]) == 0
    capsys.readouterr()


def declare(*nodes: str) -> None:
    Path("estate.toml").write_text("".join(f'[[node]]\nid = "{node}"\n' for node in nodes))


def config(*options: str) -> int:
    return run(["broker", "config", "--out", str(OUT), *options])


def accounts() -> dict[str, str]:
    lines = (OUT / "passwd").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)


def plain(user: str) -> str:
    return (OUT / "credentials" / f"{user}.password").read_text().strip()


def told(name: str) -> str:
    """The value of a line of mosquitto.conf."""
    found = re.search(rf"(?m)^{name} (.*)$", (OUT / "mosquitto.conf").read_text())
    assert found is not None, name
    return found[1]


def test_each_node_and_the_gateway_get_an_account_of_their_own():
    declare(FIRST, SECOND)
    assert config() == 0
    assert set(accounts()) == {"passerelle", FIRST, SECOND}
    assert all(matches(plain(user), hashed) for user, hashed in accounts().items())
    assert len({plain(user) for user in accounts()}) == 3


def test_no_password_is_shown_and_none_is_readable_by_others(capsys):
    assert config() == 0
    shown = capsys.readouterr()
    for user in accounts():
        assert plain(user) not in shown.out + shown.err
        file = OUT / "credentials" / f"{user}.password"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in OUT.iterdir()}
    assert modes["credentials"] == 0o700
    assert {modes[name] for name in ("passwd", "acl", "broker.key")} == {0o600}


def test_a_second_run_keeps_passwords_adds_the_new_and_drops_the_gone(capsys):
    assert config() == 0
    before = accounts()
    (OUT / "credentials" / "passerelle.password").unlink()
    declare(SECOND)
    assert config() == 0
    assert set(accounts()) == {"passerelle", SECOND}
    assert accounts()["passerelle"] == before["passerelle"]
    assert [file.stem for file in (OUT / "credentials").iterdir()] == [SECOND]
    shown = capsys.readouterr().out
    assert f"added: {SECOND}" in shown
    assert f"removed: {FIRST}" in shown


def test_what_was_handed_out_before_a_power_cut_stays_valid():
    assert config() == 0
    handed_out = plain(FIRST)
    (OUT / "passwd").unlink()
    assert config() == 0
    assert matches(handed_out, accounts()[FIRST])


def test_the_gateways_account_is_the_one_of_the_settings():
    Path("preau.toml").write_text('[broker]\nhost = "mqtt.trilport.fr"\nusername = "gw"\n')
    assert config() == 0
    assert set(accounts()) == {"gw", FIRST}
    assert "user gw\n" in (OUT / "acl").read_text()


def test_several_gateways_have_an_account_each():
    assert config("--gateway", "nord", "--gateway", "sud") == 0
    assert set(accounts()) == {"nord", "sud", FIRST}
    access = (OUT / "acl").read_text()
    assert access.count("topic write preau/v1/+/receipts") == 2


def test_paths_are_those_that_a_container_sees():
    assert config("--seen-as", "/mosquitto/config", "--port", "9000", "--host", "10.0.0.5") == 0
    assert told("password_file") == "/mosquitto/config/passwd"
    assert told("acl_file") == "/mosquitto/config/acl"
    assert told("certfile") == "/mosquitto/config/broker.pem"
    assert told("listener") == "9000 10.0.0.5"


def test_a_certificate_from_elsewhere_is_only_named():
    assert config("--certfile", "/etc/tls/a.pem", "--keyfile", "/etc/tls/a.key") == 0
    assert (told("certfile"), told("keyfile")) == ("/etc/tls/a.pem", "/etc/tls/a.key")
    assert not (OUT / "broker.key").exists()


def test_a_renewed_certificate_is_taken_over():
    assert config() == 0
    assert run(["pki", "renew", "broker"]) == 0
    assert config() == 0
    for name in ("broker.pem", "broker.key"):
        assert (OUT / name).read_bytes() == (Path("preau-pki") / name).read_bytes()


def test_files_are_given_to_the_user_of_the_broker():
    assert config("--owner", str(os.geteuid())) == 0
    assert {file.stat().st_uid for file in OUT.iterdir()} == {os.geteuid()}


def test_two_do_not_change_accounts_at_once():
    """Else the second would take away what the first has added."""
    assert config() == 0

    def is_free() -> bool:
        descriptor = os.open(OUT, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    with Accounts.changing(OUT, OUT / "credentials"):
        assert not is_free()
    assert is_free()


def test_a_password_that_is_changed_lets_in_alone_and_nobody_else_is_touched():
    """What rotation is built on."""
    assert config() == 0
    before = accounts()
    with Accounts.changing(OUT, OUT / "credentials") as changing:
        changing.set_password(FIRST, "5" * 32)
        assert accounts() == before, "nothing is in force before it is saved"
        changing.save()
    assert matches("5" * 32, accounts()[FIRST])
    assert not matches(plain(FIRST), accounts()[FIRST])
    assert accounts()["passerelle"] == before["passerelle"]


def _damaged(line: str) -> None:
    assert config() == 0
    with (OUT / "passwd").open("a") as file:
        file.write(line)


def _open_to_others(name: str) -> None:
    assert config() == 0
    (OUT / name).chmod(0o644)


def _guessable() -> None:
    declare()
    assert config() == 0
    declare(FIRST)
    file = OUT / "credentials" / f"{FIRST}.password"
    file.touch(mode=0o600)
    file.write_text("secret\n")


@pytest.mark.parametrize(
    ("prepare", "options", "reason"),
    [
        (lambda: Path("estate.toml").unlink(), (), "there is no estate at estate.toml"),
        (lambda: declare("x"), (), "estate.toml:2: node[0].id"),
        (lambda: Path("preau-pki/broker.key").unlink(), (), "preau-pki/broker.key is missing"),
        (lambda: Path("preau-pki/broker.key").chmod(0o644), (), "type: chmod 600"),
        (lambda: Path("preau-pki/broker.pem").write_text("x"), (), "holds no certificate"),
        (lambda: OUT.write_text("a file"), (), "mosquitto can't be written: File exists"),
        (lambda: _damaged("bob:secret\n"), (), "mosquitto/passwd:3: is no account of ours"),
        (lambda: _open_to_others("passwd"), (), "may be used by others (mode 0644)"),
        (_guessable, (), "holds no password of 32 hex digits"),
        (None, ("--gateway", "3c71bf4a2b12"), "must not be called as a node is"),
        (None, ("--gateway", "a:b"), "account 'a:b': must be 1 to 63 small letters"),
        (None, ("--host", "a b"), "--host 'a b': must be a host name"),
        (None, ("--seen-as", "config"), "--seen-as 'config': must be a path from the root"),
        (None, ("--certfile", "/a.pem"), "give --certfile and --keyfile, or neither"),
        (None, ("--owner", "nobody-like-that"), "there is no such user on this machine"),
        (None, ("--pid-file", "no.pid"), "no.pid can't be read: No such file"),
    ],
)
def test_bad_input_is_one_line_and_changes_no_account(prepare, options, reason, capsys):
    if prepare is not None:
        prepare()
    before = accounts_text()
    capsys.readouterr()
    assert config(*options) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert len(error.splitlines()) == 1
    assert "secret" not in error
    assert before in (accounts_text(), None)


def accounts_text() -> str | None:
    file = OUT / "passwd"
    return file.read_text() if file.exists() else None


def test_only_a_mosquitto_is_signalled():
    """A process id left behind may be somebody else's by now."""
    with subprocess.Popen([require("sleep"), "60"]) as bystander:
        Path("old.pid").write_text(f"{bystander.pid}\n")
        status = config("--pid-file", "old.pid")
        still_there = bystander.poll() is None
        bystander.kill()
    assert (status, still_there) == (2, True)
