"""The town changes its authority: the next one lies in `next/` of the PKI folder meanwhile.

While it does, `ca.pem` holds both certificates, the one that signs first: whoever reads it trusts
either. Every step may be broken off and done again. It knows no broker and no node.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.atomic_file import PUBLIC, read_private, remove_file, write_atomically
from gateway.pki.authority import (
    certificate_file,
    create_authority,
    key_file,
    load_certificate,
    node_file,
    renew_server_certificate,
    server_names,
)
from gateway.pki.certificates import is_signed_by
from ingest.errors import ConfigurationError

_NEXT: Final = "next"


def fingerprint(certificate: x509.Certificate) -> str:
    """As nodes tell it: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()[:16]


def next_authority(folder: Path) -> x509.Certificate | None:
    """The authority that is to come, while there is one."""
    next_folder = folder / _NEXT
    return load_certificate(next_folder) if certificate_file(next_folder).exists() else None


def begin_roll(folder: Path, now: datetime) -> x509.Certificate:
    """Have a next authority, of the same town, and `ca.pem` vouch for both.

    Raises `ConfigurationError`.
    """
    current = load_certificate(folder)
    coming = next_authority(folder)
    if coming is None:
        names = current.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        if not names:
            raise ConfigurationError(
                f"{certificate_file(folder)} names no town: it is none of ours"
            )
        coming = create_authority(folder / _NEXT, town=str(names[0].value), now=now).certificate
    if coming != current:
        _write_bundle(folder, current, coming)
    return coming


def has_switched(folder: Path) -> bool:
    """Whether the next authority is the one that signs already."""
    return next_authority(folder) == load_certificate(folder)


def switch(folder: Path, now: datetime) -> None:
    """The next authority signs from now on, and has signed every server's certificate anew.

    Raises `ConfigurationError`.
    """
    coming = next_authority(folder)
    if coming is None:
        raise ConfigurationError("no change of the authority is under way: preau pki roll begin")
    key = read_private(key_file(folder / _NEXT))
    current = load_certificate(folder)
    if coming != current:
        _write_bundle(folder, coming, current)
    # Again where it was broken off in between.
    write_atomically(key_file(folder), key)
    write_atomically(node_file(folder), coming.public_bytes(Encoding.DER), mode=PUBLIC)
    for name in server_names(folder):
        if not is_signed_by(load_certificate(folder, name), coming):
            renew_server_certificate(folder, name, now=now)


def finish_roll(folder: Path) -> None:
    """The authority before goes: `ca.pem` vouches for the new one alone."""
    current = load_certificate(folder)
    write_atomically(certificate_file(folder), current.public_bytes(Encoding.PEM), mode=PUBLIC)
    next_folder = folder / _NEXT
    # The certificate last: with it there is something to finish.
    for file in (
        key_file(next_folder),
        node_file(next_folder),
        certificate_file(next_folder),
    ):
        remove_file(file)
    next_folder.rmdir()


def _write_bundle(folder: Path, *certificates: x509.Certificate) -> None:
    pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
    write_atomically(certificate_file(folder), pem, mode=PUBLIC)
