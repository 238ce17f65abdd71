"""Writes a whole stack: settings, secrets, certificates, broker, Grafana, compose files.

Done again it brings everything in line: what is missing is made, what is ours is replaced, nodes
that are new in the estate get an account. Secrets, settings and estate stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from gateway.atomic_file import PRIVATE, make_folder
from gateway.mosquitto.accounts import Changes
from gateway.mosquitto.folder import CREDENTIALS_FOLDER, GATEWAY, BrokerPlan, TlsFiles
from gateway.mosquitto.folder import write_broker_folder as write_broker
from gateway.pki.authority import (
    BROKER,
    certificate_file,
    create_authority,
    issue_server_certificate,
    key_file,
    load_certificate,
    load_identity,
)
from gateway.pki.hosts import hosts_of
from gateway.stack.environment import ENVIRONMENT_FILE, environment
from gateway.stack.files import StackFiles, give, owner_of
from gateway.stack.parts import part, sources, stack_file
from gateway.stack.plan import StackPlan
from ingest.errors import ConfigurationError
from ingest.estate.load import load_estate
from ingest.estate.model import Estate

COMPOSE_FILES: Final = ("compose.yaml", "compose.second-gateway.yaml", "compose.demo.yaml")
FIRST: Final = "gateway"
SECOND: Final = "gateway-2"
_BROKER_SEES: Final = PurePosixPath("/mosquitto/config")
_SECRETS: Final = (
    "influxdb/admin.password",
    "influxdb/operator.token",
    "grafana/secrets/admin.password",
    "grafana/secrets/secret.key",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it: files by their path in the folder, and accounts of the broker."""

    written: list[str]
    kept: list[str]
    accounts: Changes


def write_stack(plan: StackPlan, estate_text: str, now: datetime) -> Outcome:
    """Write the stack, or bring it in line. `estate_text` is the estate, if there is none yet.

    Raises `ConfigurationError`, or `EstateError` for an estate with mistakes in it.
    """
    plan.require_usable()
    pki = plan.folder / "pki"
    if not plan.hosts and not plan.demo and not certificate_file(pki).exists():
        raise ConfigurationError(
            "the broker's certificate needs the names and addresses by which nodes reach it; "
            "give --host, such as --host mqtt.trilport.fr --host 192.168.1.10"
        )
    files, owner = StackFiles(plan.folder), owner_of(plan.folder)
    gateways = _gateways(plan)
    _write_settings(files, plan, estate_text, owner, gateways)
    estate = load_estate(plan.folder / "estate" / "estate.toml")
    for path in _SECRETS:
        files.secret(path)
    for name in COMPOSE_FILES:
        files.ours(name, stack_file(name).encode())
    files.tree("grafana", part("grafana"))
    _certify(files, plan, pki, estate, now)
    for service in gateways:
        files.ours(f"{service}/ca.pem", certificate_file(pki).read_bytes())
    accounts = _write_broker(files, pki, estate, gateways)
    give(plan.folder, owner, not_below=pki)
    return Outcome(files.written, files.kept, accounts)


def _gateways(plan: StackPlan) -> dict[str, str]:
    """The account of each gateway, by the name of its service."""
    has_second = plan.second_gateway or (plan.folder / SECOND).exists()
    return {FIRST: GATEWAY} | ({SECOND: f"{GATEWAY}-2"} if has_second else {})


def _write_settings(
    files: StackFiles,
    plan: StackPlan,
    estate_text: str,
    owner: tuple[int, int],
    gateways: Mapping[str, str],
) -> None:
    """What people edit, and what they may fill in; never replaced."""
    files.once(ENVIRONMENT_FILE, environment(plan, owner, sources()), mode=PRIVATE)
    estate = plan.folder / "estate" / "estate.toml"
    if plan.demo and estate.exists() and estate.read_text(encoding="utf-8") != estate_text:
        raise ConfigurationError(
            f"{estate} is that of a town, which the demo does not mix with invented ones; "
            "choose another folder for it"
        )
    files.once("estate/estate.toml", estate_text)
    for service, account in gateways.items():
        text = stack_file("gateway.toml").format(service=service, account=account)
        files.once(f"{service}/preau.toml", text)
    files.once("grafana/secrets/smtp.password", "", mode=PRIVATE)
    make_folder(plan.folder / "backups", is_private=True)
    # Filled in when InfluxDB has been set up; the folders must be there to be mounted.
    for service in (*gateways, "grafana"):
        files.once(f"tokens/{service}/influxdb.token", "", mode=PRIVATE)


def _certify(files: StackFiles, plan: StackPlan, pki: Path, estate: Estate, now: datetime) -> None:
    if not certificate_file(pki).exists():
        town = plan.town or estate.name or "Préau"
        create_authority(pki, town=town[:64], now=now)
        issue_server_certificate(pki, BROKER, plan.broker_hosts, now=now)
        files.written.append("pki/")
    elif plan.hosts and set(plan.broker_hosts) != set(hosts_of(load_certificate(pki, BROKER))):
        issue_server_certificate(pki, BROKER, plan.broker_hosts, now=now)
        files.written.append("pki/broker.pem")


def _write_broker(
    files: StackFiles, pki: Path, estate: Estate, gateways: Mapping[str, str]
) -> Changes:
    load_identity(pki, BROKER)
    certificate, key = certificate_file(pki, BROKER), key_file(pki, BROKER)
    plan = BrokerPlan(
        nodes=estate.in_service(),
        tls=TlsFiles(certificate.read_bytes(), key.read_bytes()),
        seen_as=_BROKER_SEES,
        credentials=files.folder / CREDENTIALS_FOLDER,
        gateways=list(gateways.values()),
    )
    changes = write_broker(files.folder / "mosquitto", plan)
    for service, account in gateways.items():
        files.move(plan.credentials / f"{account}.password", f"{service}/broker.password")
    return changes
