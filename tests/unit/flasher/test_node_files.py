"""What a node is told on its flash, and what can't be told it."""

import json
import ssl
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.flasher.account import Account, TownAccounts
from firmware.flasher.chips import chip_named
from firmware.flasher.node_files import (
    all_files,
    config_of,
    extra_config,
    sensor_list,
    surroundings,
)
from gateway.mosquitto.accounts import Accounts
from gateway.mosquitto.passwords import matches
from gateway.pki.authority import certificate_file, create_authority, node_file
from gateway.pki.roll import begin_roll, finish_roll, switch
from gateway.settings import load_settings
from ingest.errors import ConfigurationError

NODE = "3c71bf4a2b10"


def settings_of(folder, text):
    file = folder / "preau.toml"
    file.write_text(text)
    return load_settings(file)


def test_a_node_is_told_its_network_its_broker_and_whom_to_trust(tmp_path):
    create_authority(tmp_path / "preau-pki", town="Trilport", now=datetime.now(UTC))
    (tmp_path / "wifi").write_text("s3cret\n")
    (tmp_path / "wifi").chmod(0o600)
    settings = settings_of(
        tmp_path,
        '[broker]\nhost = "mqtt.example"\nport = 8883\ntls_ca = "preau-pki/ca.pem"\n'
        '[nodes]\nwifi_ssid = "ecoles"\nwifi_password_file = "wifi"\n',
    )
    town = surroundings(settings)
    c3 = chip_named("ESP32-C3")
    config = config_of(c3, town, Account(NODE, "0f" * 16, is_new=True), "AB12CD34", {"led": 8})
    assert config == {
        "board": "esp32c3",
        "i2c": {"id": 0, "scl": 5, "sda": 4},
        "led": 8,
        "wifi": [{"ssid": "ecoles", "password": "s3cret"}],
        "broker": {
            "host": "mqtt.example",
            "port": 8883,
            "user": NODE,
            "password": "0f" * 16,
            "tls": True,
            "ca": ["ca.der"],
        },
        "setup_code": "AB12CD34",
    }
    files = all_files(
        {"main.py": b"x"}, config, town.authorities, {"boots": b"3", "main.py": b"old"}
    )
    assert files["ca.der"] == node_file(tmp_path / "preau-pki").read_bytes()
    assert files["ca.der"] == ssl.PEM_cert_to_DER_cert(
        certificate_file(tmp_path / "preau-pki").read_text()
    )
    assert (files["main.py"], files["boots"]) == (b"x", b"3")
    assert json.loads(files["config.json"]) == config
    assert "s3cret" not in repr(town)
    assert "0f0f" not in repr(Account(NODE, "0f" * 16, is_new=True))


TRUSTING = (
    '[broker]\nhost = "mqtt.example"\ntls_ca = "preau-pki/ca.pem"\n[nodes]\nwifi_ssid = "ecoles"\n'
)


def test_while_the_authority_is_changed_a_node_is_told_the_one_to_come(tmp_path):
    pki, now = tmp_path / "preau-pki", datetime.now(UTC)
    create_authority(pki, town="Trilport", now=now)
    before = node_file(pki).read_bytes()
    coming = begin_roll(pki, now).public_bytes(Encoding.DER)
    told = surroundings(settings_of(tmp_path, TRUSTING)).authorities
    assert told == {"ca.der": before, "ca.next": coming}
    # From then on it alone: a node that trusted both could be sent back.
    switch(pki, now)
    assert surroundings(settings_of(tmp_path, TRUSTING)).authorities == {"ca.der": coming}
    finish_roll(pki)
    assert surroundings(settings_of(tmp_path, TRUSTING)).authorities == {"ca.der": coming}


def test_authorities_that_are_no_change_of_the_towns_are_refused(tmp_path):
    for name in ("preau-pki", "other"):
        create_authority(tmp_path / name, town="Trilport", now=datetime.now(UTC))
    bundle = certificate_file(tmp_path / "preau-pki")
    bundle.write_bytes(bundle.read_bytes() + certificate_file(tmp_path / "other").read_bytes())
    with pytest.raises(ConfigurationError, match="holds 2 authorities, a node takes one"):
        surroundings(settings_of(tmp_path, TRUSTING))


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ('[broker]\nhost = "mqtt.example"\n', "nodes.wifi_ssid is not set"),
        ('[nodes]\nwifi_ssid = "x"\n', "nodes can't reach a broker at '127.0.0.1'"),
        ('[broker]\nhost = "localhost"\n[nodes]\nwifi_ssid = "x"\n', "nodes can't reach"),
    ],
)
def test_what_a_node_could_not_use_is_refused(tmp_path, text, because):
    with pytest.raises(ConfigurationError, match=because):
        surroundings(settings_of(tmp_path, text))


def test_sensors_are_named_by_chip_and_address():
    assert sensor_list("sht4x@0x44, scd4x@0x62=wall") == [
        {"chip": "sht4x", "address": 0x44},
        {"chip": "scd4x", "address": 0x62, "channel": "wall"},
    ]
    for wrong in ("sht4x", "sht4x@44", "sht4x@0x99", "sht4x@0x44=Mur", ""):
        with pytest.raises(ConfigurationError, match="write chip@address"):
            sensor_list(wrong)


def test_more_of_the_configuration_comes_from_a_file_but_no_secrets(tmp_path):
    file = tmp_path / "node.json"
    file.write_text('{"interval_s": 30}')
    assert extra_config(file) == {"interval_s": 30}
    for wrong in ('{"broker": {}}', "[]", "{"):
        file.write_text(wrong)
        with pytest.raises(ConfigurationError, match=str(file)):
            extra_config(file)


def test_an_account_is_kept_where_the_board_has_it_and_new_where_not(tmp_path):
    accounts = TownAccounts(tmp_path, None)
    first = accounts.of(NODE, None)
    assert first.is_new
    # Cut off before the board had it: the same again.
    assert accounts.of(NODE, None) == first
    accounts.handed_over(NODE)
    assert not list((tmp_path / "credentials").iterdir())
    assert accounts.of(NODE, first.password) == Account(NODE, first.password, is_new=False)
    second = accounts.of(NODE, None)
    assert second.password != first.password
    with Accounts.changing(tmp_path, tmp_path / "credentials") as changing:
        assert matches(second.password or "", changing.hashes[NODE])
    # What the board says is no longer let in.
    assert accounts.of(NODE, first.password).password == second.password
