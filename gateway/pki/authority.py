"""The PKI folder: the town's authority and its servers' certificates, as files.

`ca.key`, `ca.pem` and, as nodes take it, `ca.der`; for each server `<name>.key` and `<name>.pem`.
Keys are for their owner alone. The authority's key is needed to sign only, and may be kept
elsewhere in between. Nobody is told here that a file has changed.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.atomic_file import PRIVATE, PUBLIC, make_folder, read_private, write_atomically
from gateway.pki.certificates import (
    Identity,
    is_pair,
    new_authority,
    new_server,
    readable_certificate,
)
from gateway.pki.hosts import hosts_of
from ingest.errors import ConfigurationError

AUTHORITY: Final = "ca"
BROKER: Final = "broker"
WEB: Final = "web"
_SERVER_NAME: Final = re.compile(r"(?!ca$)[a-z][a-z0-9-]{0,31}")


def certificate_file(folder: Path, name: str = AUTHORITY) -> Path:
    """Where the certificate of `name` lies, as PEM."""
    return folder / f"{name}.pem"


def key_file(folder: Path, name: str = AUTHORITY) -> Path:
    """Where its key lies, as PEM."""
    return folder / f"{name}.key"


def node_file(folder: Path) -> Path:
    """Where the authority's certificate lies as a node takes it, DER."""
    return folder / f"{AUTHORITY}.der"


def create_authority(folder: Path, *, town: str, now: datetime) -> Identity:
    """Make the town's authority in `folder`, which is made if need be.

    Raises `ConfigurationError`; nothing is changed where there is one already.
    """
    _require_none(folder)
    authority = new_authority(town, now)
    # Gateway and web server read certificates of it; keys are closed one by one.
    make_folder(folder, is_private=False)
    # The certificate last: with it the authority counts as made.
    write_atomically(key_file(folder), _key_pem(authority.key), mode=PRIVATE)
    certificate = authority.certificate
    write_atomically(node_file(folder), certificate.public_bytes(Encoding.DER), mode=PUBLIC)
    write_atomically(certificate_file(folder), certificate.public_bytes(Encoding.PEM), mode=PUBLIC)
    return authority


def issue_server_certificate(
    folder: Path, name: str, hosts: Iterable[str], *, now: datetime
) -> Identity:
    """Make a key and a certificate for the server `name`, in the place of those it has.

    `hosts` are the names and addresses by which clients reach it. Raises `ConfigurationError`.
    """
    if not _SERVER_NAME.fullmatch(name):
        raise ConfigurationError(
            f"server {name!r}: must be 1 to 32 small letters, digits and '-', and not 'ca'"
        )
    server = new_server(load_authority(folder), hosts, now)
    # Between the two files they do not match; whoever reads them is told to only afterwards.
    write_atomically(key_file(folder, name), _key_pem(server.key), mode=PRIVATE)
    pem = server.certificate.public_bytes(Encoding.PEM)
    write_atomically(certificate_file(folder, name), pem, mode=PUBLIC)
    return server


def renew_server_certificate(folder: Path, name: str, *, now: datetime) -> Identity:
    """As `issue_server_certificate`, for the names and addresses of the certificate it has."""
    hosts = hosts_of(load_certificate(folder, name))
    return issue_server_certificate(folder, name, hosts, now=now)


def server_names(folder: Path) -> list[str]:
    """The servers that have a certificate in `folder`."""
    return sorted(file.stem for file in folder.glob("*.pem") if file.stem != AUTHORITY)


def load_authority(folder: Path) -> Identity:
    """The authority with its key. Raises `ConfigurationError` with the remedy."""
    return load_identity(folder, AUTHORITY)


def load_identity(folder: Path, name: str) -> Identity:
    """A certificate with its key. Raises `ConfigurationError` with the remedy."""
    identity = Identity(load_certificate(folder, name), _load_key(folder, name))
    if not is_pair(identity):
        raise ConfigurationError(
            f"{key_file(folder, name)} is not the key of {certificate_file(folder, name)}; "
            f"{_remedy(name)}"
        )
    return identity


def load_certificate(folder: Path, name: str = AUTHORITY) -> x509.Certificate:
    """A certificate. Raises `ConfigurationError` with the remedy."""
    file = certificate_file(folder, name)
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        # Without an authority there is nothing to renew a server's certificate with.
        is_first = name == AUTHORITY or not certificate_file(folder, AUTHORITY).exists()
        make = "create" if is_first else f"renew {name}"
        raise ConfigurationError(
            f"{file} is missing; to make it type: preau pki {make} --host NAME"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from error
    try:
        return readable_certificate(content)
    except ValueError as error:
        raise ConfigurationError(f"{file} holds no certificate; {_remedy(name)}") from error


def _require_none(folder: Path) -> None:
    if certificate_file(folder).exists():
        raise ConfigurationError(
            f"{certificate_file(folder)} is there already: every node trusts that authority, so it "
            "is not replaced; for new server certificates type: preau pki renew"
        )
    if key_file(folder).exists():
        raise ConfigurationError(
            f"{key_file(folder)} is there without its ca.pem: put that back, or remove the key if "
            "no node has ever been given its certificate"
        )


def _load_key(folder: Path, name: str) -> ec.EllipticCurvePrivateKey:
    file = key_file(folder, name)
    if not file.exists():
        raise ConfigurationError(f"{file} is missing; {_remedy(name)}")
    content = read_private(file)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{file} holds no key; {_remedy(name)}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{file} is no key on an elliptic curve; {_remedy(name)}")
    return key


def _remedy(name: str) -> str:
    if name == AUTHORITY:
        return "put it back from where it is kept"
    return f"for a new one type: preau pki renew {name}"


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
