"""`preau pki …`: what it writes, tells and refuses."""

import json
import os
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.pki.authority import load_certificate
from gateway.pki.hosts import hosts_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("PREAU_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("estate.toml").write_text('name = "Trilport"\n')
    return Path("preau-pki")


def preau(*arguments: str) -> int:
    return run(["pki", *arguments])


def test_authority_broker_and_web_server_are_made_for_the_town_of_the_estate(folder, capsys):
    assert preau("create", "--host", "mqtt.trilport.fr", "--web-host", "preau.trilport.fr") == 0
    assert "ca.der, for the nodes" in capsys.readouterr().out
    assert load_certificate(folder).subject.rfc4514_string().endswith("O=Trilport")
    assert hosts_of(load_certificate(folder, "broker")) == ("mqtt.trilport.fr",)
    assert hosts_of(load_certificate(folder, "web")) == ("preau.trilport.fr",)


def test_the_folder_is_the_one_of_the_settings_or_of_the_command_line(folder):
    Path("sub").mkdir()
    Path("sub/preau.toml").write_text('[pki]\ndir = "keys"\n[estate]\nfile = "../estate.toml"\n')
    assert preau("create", "--settings", "sub/preau.toml", "--host", "a.fr") == 0
    assert Path("sub/keys/ca.pem").exists()
    assert preau("create", "--dir", "here", "--host", "a.fr") == 0
    assert Path("here/ca.pem").exists()
    assert not folder.exists()


def test_renewing_tells_what_is_to_be_reloaded(capsys):
    assert preau("create", "--host", "mqtt.trilport.fr") == 0
    assert preau("renew") == 0
    told = capsys.readouterr().out
    assert "preau broker config" in told
    assert "systemctl reload mosquitto" in told
    assert "reverse proxy" in told


def test_a_renewed_server_can_get_other_hosts(folder, capsys):
    assert preau("create", "--host", "mqtt.trilport.fr") == 0
    assert preau("renew", "broker", "--host", "10.0.0.5") == 0
    assert hosts_of(load_certificate(folder, "broker")) == ("10.0.0.5",)
    assert hosts_of(load_certificate(folder, "web")) == ("mqtt.trilport.fr",)
    assert preau("renew", "--host", "10.0.0.5") == 2
    assert "name it" in capsys.readouterr().err


def test_show_tells_what_ends_when(capsys):
    assert preau("create", "--host", "mqtt.trilport.fr") == 0
    capsys.readouterr()
    assert preau("show", "--json") == 0
    shown = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(shown) == ["ca", "broker", "web"]
    assert shown["broker"]["hosts"] == ["mqtt.trilport.fr"]
    assert 1820 < shown["broker"]["days_left"] < 1830
    assert 10950 < shown["ca"]["days_left"] < 10960
    assert shown["ca"]["problem"] is None


def test_show_exits_1_with_the_remedy_where_something_can_not_serve(folder, capsys):
    assert preau("create", "--host", "mqtt.trilport.fr") == 0
    (folder / "broker.key").unlink()
    assert preau("show") == 1
    told = capsys.readouterr()
    assert told.err.strip().endswith(
        "broker.key is missing; for a new one type: preau pki renew broker"
    )


def test_a_certificate_that_was_never_made_is_told_with_what_makes_it(capsys):
    def missing() -> str:
        assert run(["broker", "config", "--out", "broker", "--host", "a.fr"]) == 2
        return capsys.readouterr().err

    assert "broker.pem is missing; to make it type: preau pki create --host NAME" in missing()
    assert preau("create", "--host", "a.fr") == 0
    Path("preau-pki/broker.pem").unlink()
    assert "broker.pem is missing; to make it type: preau pki renew broker --host" in missing()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show"], "preau: preau-pki/ca.pem is missing; to make it type: preau pki create"),
        (["renew"], "preau: preau-pki/ca.pem is missing; to make it type: preau pki create"),
        (["create", "--host", "a b"], "preau: host 'a b': must be a host name or an IP address"),
        (["create", "--host", "a.fr", "--web-host", "é"], "preau: host 'é': must be a host name"),
        (["create", "--host", "a.fr", "--dir", "estate.toml/x"], "preau: estate.toml/x can't be"),
        (["create", "--host", "a.fr", "--town", ""], "preau: town '': must be one line"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(folder, capsys, arguments, told):
    assert preau(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(told)
    assert len(error.splitlines()) == 1
    assert not folder.exists()


def test_without_a_name_in_the_estate_the_town_is_asked_for(capsys):
    Path("estate.toml").unlink()
    assert preau("create", "--host", "a.fr") == 2
    assert "give --town" in capsys.readouterr().err
    assert preau("create", "--host", "a.fr", "--town", "Trilport") == 0
