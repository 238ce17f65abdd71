"""What lies on the flash of a node that is made now: program, settings, what it had before.

It knows what stands in `config.json`, which `firmware/node/settings_load.py` reads. Secrets pass
through here to the flash and are shown nowhere.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.flasher.account import Account
from firmware.flasher.board_state import CONFIG
from firmware.flasher.chips import Chip
from gateway.endpoint import is_loopback
from gateway.pki.roll import next_authority
from gateway.secret_file import read_secret
from gateway.settings import Settings
from ingest.errors import ConfigurationError

CA: Final = "ca.der"
CA_NEXT: Final = "ca.next"
_SENSOR: Final = re.compile(r"([a-z0-9]{2,12})@0x([0-7][0-9a-f])(?:=([a-z0-9-]{1,16}))?")
_NOT_BY_FILE: Final = frozenset({"wifi", "broker", "brokers", "setup_code"})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all nodes of a town are told alike."""

    wifi: tuple[Mapping[str, str | None], ...] = field(repr=False)
    host: str
    port: int
    authorities: Mapping[str, bytes]
    """Whom to trust, in DER by the name of the file on the node; without any there is no TLS."""


def surroundings(settings: Settings) -> Surroundings:
    """As the settings have it. Raises `ConfigurationError` for what a node could not use."""
    nodes, broker = settings.nodes, settings.broker
    if nodes.wifi_ssid is None:
        raise ConfigurationError(
            "nodes.wifi_ssid is not set: name the network of the nodes in preau.toml"
        )
    if nodes.broker_host is None and (is_loopback(broker.host) or broker.host in {"0.0.0.0", "::"}):
        raise ConfigurationError(
            f"nodes can't reach a broker at {broker.host!r}: set nodes.broker_host to its name or "
            "address as they see it"
        )
    password = None
    if nodes.wifi_password_file is not None:
        password = read_secret(nodes.wifi_password_file, "nodes.wifi_password_file")
    return Surroundings(
        wifi=({"ssid": nodes.wifi_ssid, "password": password},),
        host=nodes.broker_host or broker.host,
        port=nodes.broker_port or broker.port,
        authorities={} if broker.tls_ca is None else _authorities(broker.tls_ca, settings.pki.dir),
    )


def sensor_list(text: str) -> list[dict[str, Any]]:
    """The sensors of `sht4x@0x44,scd4x@0x62=wall`: chip, I2C address and, after `=`, channel.

    Raises `ConfigurationError`.
    """
    found: list[dict[str, Any]] = []
    for one in text.split(","):
        parts = _SENSOR.fullmatch(one.strip())
        if parts is None:
            raise ConfigurationError(
                f"--sensors {one.strip()!r}: write chip@address, such as sht4x@0x44, with =channel "
                "where two measure the same"
            )
        sensor: dict[str, Any] = {"chip": parts[1], "address": int(parts[2], 16)}
        found.append(sensor | ({"channel": parts[3]} if parts[3] else {}))
    return found


def extra_config(file: Path) -> dict[str, Any]:
    """Further settings for `config.json` from a JSON file. Raises `ConfigurationError`, also for
    those that come from elsewhere.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} can't be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{file} holds no JSON object")
    if misplaced := sorted(_NOT_BY_FILE & found.keys()):
        raise ConfigurationError(f"{file}: {misplaced[0]!r} comes from preau.toml and the accounts")
    return found


def config_of(
    chip: Chip,
    town: Surroundings,
    account: Account,
    setup_code: str,
    wishes: Mapping[str, Any],
) -> dict[str, Any]:
    """`config.json` of one node; `wishes` go over what its chip has by default."""
    broker: dict[str, Any] = {"host": town.host, "port": town.port}
    if account.user is not None:
        broker |= {"user": account.user, "password": account.password}
    if town.authorities:
        broker |= {"tls": True, "ca": [CA]}
    return {
        "board": chip.key,
        "i2c": {"id": 0, "scl": chip.scl, "sda": chip.sda},
        **wishes,
        "wifi": list(town.wifi),
        "broker": broker,
        "setup_code": setup_code,
    }


def all_files(
    program: Mapping[str, bytes],
    config: Mapping[str, Any],
    authorities: Mapping[str, bytes],
    own: Mapping[str, bytes],
) -> dict[str, bytes]:
    """Everything by its path; `own` is what the node has written itself."""
    return {**own, **program, CONFIG: json.dumps(config).encode(), **authorities}


def _authorities(file: Path, pki: Path) -> dict[str, bytes]:
    """The authority in `file`; while the town changes its own, the one to come besides."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
        coming = next_authority(pki)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"broker.tls_ca: {file} is no certificate: {error}") from error
    if len(found) > 1 and coming not in found:
        raise ConfigurationError(
            f"broker.tls_ca: {file} holds {len(found)} authorities, a node takes one; name the "
            "file of the one that has signed the broker's certificate"
        )
    told = {CA: found[0].public_bytes(Encoding.DER)}
    # Once it signs it stands first, and the one before is trusted no more.
    if coming is not None and coming in found[1:]:
        told[CA_NEXT] = coming.public_bytes(Encoding.DER)
    return told
