"""Certificates and keys as objects: the town's authority and the servers it vouches for.

All keys are P-256: small, and known to every TLS library, that of a node too. Everything begins on
1 January 2000, the day on which a node without a clock believes to be. It knows no files and no
clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.pki.hosts import alternative_names
from ingest.errors import ConfigurationError

BEGINS_AT: Final = datetime(2000, 1, 1, tzinfo=UTC)
AUTHORITY_YEARS: Final = 30
SERVER_YEARS: Final = 5
"""Nodes ask for no revocation, so a stolen key serves until its certificate ends; and somebody has
to renew it in time, or no node connects."""
_TOWN_CHARACTERS: Final = 64
_UNREADABLE: Final = (
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises of damaged certificates beside `ValueError`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def new_authority(town: str, now: datetime) -> Identity:
    """A self-signed authority of `town`, which signs servers and no other authority.

    Raises `ConfigurationError` where the name of the town can't stand in a certificate.
    """
    if not town.strip() or not town.isprintable() or len(town) > _TOWN_CHARACTERS:
        raise ConfigurationError(
            f"town {town!r}: must be one line of 1 to {_TOWN_CHARACTERS} characters"
        )
    key = _new_key()
    serial = x509.random_serial_number()
    # While the authority is changed there are two: their names must tell them apart.
    name = _name(town.strip(), f"Préau CA {serial >> 128:08x}")
    builder = _begun(name, name, key, serial).not_valid_after(_years_later(now, AUTHORITY_YEARS))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(
        _key_usage(key_cert_sign=True, crl_sign=True, digital_signature=False), critical=True
    )
    return Identity(builder.sign(key, hashes.SHA256()), key)


def new_server(authority: Identity, hosts: Iterable[str], now: datetime) -> Identity:
    """A server reached by `hosts`, with a key of its own, until `SERVER_YEARS` from now or the
    authority's own end.

    Raises `ConfigurationError` for a host that is none, or an authority that has ended.
    """
    names = alternative_names(hosts)
    issuer = authority.certificate
    if issuer.not_valid_after_utc <= now:
        raise ConfigurationError(
            f"the town's authority has ended on {issuer.not_valid_after_utc:%Y-%m-%d}; "
            "it can sign nothing more: make a new one"
        )
    key = _new_key()
    subject = _name(_town_of(issuer), _common_name(names))
    ends_at = min(_years_later(now, SERVER_YEARS), issuer.not_valid_after_utc)
    builder = _begun(subject, issuer.subject, key, x509.random_serial_number())
    builder = builder.not_valid_after(ends_at)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(key_cert_sign=False, crl_sign=False, digital_signature=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (names, False),
        (_issued_by(issuer), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return Identity(builder.sign(authority.key, hashes.SHA256()), key)


def readable_certificate(pem: bytes) -> x509.Certificate:
    """The certificate, if all of it that we use can be read; else `ValueError`."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        # These are taken apart when they are asked for, and only then refused.
        certificate.public_key()
        _ = certificate.subject, certificate.issuer, *certificate.extensions
    except _UNREADABLE as error:
        raise ValueError(str(error)) from error
    return certificate


def is_pair(identity: Identity) -> bool:
    """Whether key and certificate belong together."""
    return bool(identity.certificate.public_key() == identity.key.public_key())


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether `authority` has signed `certificate`."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int
) -> x509.CertificateBuilder:
    public_key = key.public_key()
    builder = x509.CertificateBuilder(issuer, subject, public_key, serial)
    identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    return builder.not_valid_before(BEGINS_AT).add_extension(identifier, critical=False)


def _issued_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound as error:
        raise ConfigurationError(
            "the authority's certificate has no subjectKeyIdentifier, so strict clients would "
            "refuse what it signs: use one that preau pki create has made"
        ) from error
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _town_of(issuer: x509.Certificate) -> str | None:
    """The town that an authority of ours names; another's may name none."""
    found = issuer.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(found[0].value) if found else None


def _common_name(names: x509.SubjectAlternativeName) -> str:
    """The first host, for people; clients look at the alternative names (RFC 9525 §2)."""
    return str(next(iter(names)).value)[:_TOWN_CHARACTERS]


def _name(town: str | None, common_name: str) -> x509.Name:
    organization = [] if town is None else [x509.NameAttribute(NameOID.ORGANIZATION_NAME, town)]
    return x509.Name([*organization, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, key_cert_sign: bool, crl_sign: bool, digital_signature: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _years_later(now: datetime, years: int) -> datetime:
    # 365.25 days, rounded down: no 29 February that the last year does not have.
    return now.astimezone(UTC).replace(microsecond=0) + timedelta(days=years * 1461 // 4)
