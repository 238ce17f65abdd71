"""The folder that a Mosquitto is given: configuration, access list, accounts, certificate and key.

It is whole in itself, so it can be mounted into a container or copied to another machine. Nobody is
told here that it has changed.
"""

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from gateway.atomic_file import PUBLIC, make_folder, write_atomically
from gateway.mosquitto.access import access_list
from gateway.mosquitto.accounts import PASSWORD_FILE, Accounts, Changes, require_user_name
from gateway.mosquitto.configuration import (
    ACCESS_FILE,
    CONFIGURATION_FILE,
    BrokerFiles,
    configuration,
)
from ingest.errors import ConfigurationError
from ingest.topics import is_node_id

CERTIFICATE_FILE: Final = "broker.pem"
KEY_FILE: Final = "broker.key"
CREDENTIALS_FOLDER: Final = "credentials"
GATEWAY: Final = "passerelle"
PORT: Final = 8883


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificate and key: their content, or, where they lie elsewhere, the paths of the broker."""

    certificate: bytes | PurePosixPath
    key: bytes | PurePosixPath


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """What a broker is to be told.

    `seen_as` is where the broker finds the folder, an absolute path; `credentials` where the plain
    passwords go; `owner` the user, or its number, that Mosquitto runs as.
    """

    nodes: Sequence[str]
    tls: TlsFiles
    seen_as: PurePosixPath
    credentials: Path
    gateways: Sequence[str] = (GATEWAY,)
    port: int = PORT
    host: str | None = None
    owner: str | None = None


def write_broker_folder(folder: Path, plan: BrokerPlan) -> Changes:
    """Write everything into `folder`, which is made if need be. Accounts that are there keep their
    passwords, those of nodes that are not in the plan go.

    Raises `ConfigurationError`.
    """
    for user in plan.gateways:
        if is_node_id(require_user_name(user)):
            raise ConfigurationError(f"account {user!r}: a gateway must not be called as a node is")
    user_id = None if plan.owner is None else _user_id(plan.owner)
    make_folder(folder, is_private=False)
    make_folder(plan.credentials, is_private=True)
    with Accounts.changing(folder, plan.credentials) as accounts:
        changes = accounts.sync((*plan.gateways, *plan.nodes))
        _write_rules(folder, plan)
        accounts.save()
    if user_id is not None:
        _give(folder, user_id)
    return changes


def _write_rules(folder: Path, plan: BrokerPlan) -> None:
    certificate, key = plan.tls.certificate, plan.tls.key
    if isinstance(key, bytes):
        write_atomically(folder / KEY_FILE, key)
        key = plan.seen_as / KEY_FILE
    if isinstance(certificate, bytes):
        write_atomically(folder / CERTIFICATE_FILE, certificate, mode=PUBLIC)
        certificate = plan.seen_as / CERTIFICATE_FILE
    files = BrokerFiles(
        passwords=plan.seen_as / PASSWORD_FILE,
        access=plan.seen_as / ACCESS_FILE,
        certificate=certificate,
        key=key,
    )
    text = configuration(files, port=plan.port, host=plan.host)
    write_atomically(folder / CONFIGURATION_FILE, text.encode(), mode=PUBLIC)
    # Newer versions of Mosquitto want an access list that only its user reads.
    write_atomically(folder / ACCESS_FILE, access_list(plan.gateways).encode())


def _user_id(owner: str) -> int:
    """The number of a user of this machine, or that of one in a container, who is unknown here."""
    if owner.isdecimal() and len(owner) < 10:
        return int(owner)
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError as error:
        raise ConfigurationError(
            f"owner {owner!r}: there is no such user on this machine"
        ) from error


def _give(folder: Path, user_id: int) -> None:
    """Hand what the broker reads to the user it runs as; the plain passwords stay ours."""
    try:
        for name in (CONFIGURATION_FILE, ACCESS_FILE, PASSWORD_FILE, CERTIFICATE_FILE, KEY_FILE):
            if (folder / name).exists():
                os.chown(folder / name, user_id, -1)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} can't be given to user {user_id}: {error.strerror}; only root may (sudo)"
        ) from error
