"""What of the PKI folder ends when, and what of it can't serve any more."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.pki.authority import (
    AUTHORITY,
    certificate_file,
    key_file,
    load_certificate,
    load_identity,
    server_names,
)
from gateway.pki.certificates import is_signed_by
from gateway.pki.hosts import hosts_of
from ingest.errors import ConfigurationError

WARNED_DAYS: Final = 30
_RESTORE: Final = "it is damaged: put it back from where it is kept"


@dataclass(frozen=True, slots=True)
class CertificateState:
    """One certificate. `problem` is empty where it serves for `WARNED_DAYS` more days at least."""

    name: str
    file: str
    hosts: tuple[str, ...]
    ends_at: datetime
    days_left: int
    problem: str


def certificate_states(folder: Path, now: datetime) -> list[CertificateState]:
    """The authority, then the servers by name.

    Raises `ConfigurationError` where a file can't be read as what it should be.
    """
    return list(_states(folder, now))


def _states(folder: Path, now: datetime) -> Iterator[CertificateState]:
    authority = load_certificate(folder)
    for name in (AUTHORITY, *server_names(folder)):
        certificate = load_certificate(folder, name)
        ends_at = certificate.not_valid_after_utc
        problem = _key_problem(folder, name) or _time_problem(name, ends_at, now)
        if not is_signed_by(certificate, authority):
            remedy = _RESTORE if name == AUTHORITY else f"type: preau pki renew {name}"
            problem = f"not signed by {certificate_file(folder)}; {remedy}"
        yield CertificateState(
            name=name,
            file=str(certificate_file(folder, name)),
            hosts=hosts_of(certificate),
            ends_at=ends_at,
            days_left=(ends_at - now).days,
            problem=problem,
        )


def _key_problem(folder: Path, name: str) -> str:
    """What is wrong with its key. That of the authority may be kept elsewhere, and a key that is
    not ours to read is its owner's to look at.
    """
    file = key_file(folder, name)
    if file.exists():
        if not os.access(file, os.R_OK, effective_ids=True):
            return ""
    elif name == AUTHORITY:
        return ""
    try:
        load_identity(folder, name)
    except ConfigurationError as error:
        return str(error)
    return ""


def _time_problem(name: str, ends_at: datetime, now: datetime) -> str:
    days_left = (ends_at - now).days
    if days_left >= WARNED_DAYS:
        return ""
    remedy = "make a new authority" if name == AUTHORITY else f"type: preau pki renew {name}"
    if ends_at <= now:
        return f"has ended; {remedy}"
    return f"ends in {days_left} days; {remedy}"
