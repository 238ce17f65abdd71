"""The names and addresses that a certificate is for. It looks none of them up."""

import ipaddress
from collections.abc import Iterable

from cryptography import x509

from gateway.endpoint import valid_host
from ingest.errors import ConfigurationError


def alternative_names(hosts: Iterable[str]) -> x509.SubjectAlternativeName:
    """`subjectAltName` of every host, each once, in their order.

    Raises `ConfigurationError` where there is none, or one that is neither name nor address.
    """
    names = [_general_name(host) for host in hosts]
    if not names:
        raise ConfigurationError(
            "a server's certificate needs the names and addresses by which it is reached; "
            "give --host, such as --host mqtt.trilport.fr --host 192.168.1.10"
        )
    return x509.SubjectAlternativeName(dict.fromkeys(names))


def hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses that `certificate` is for; none where it names none."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = extension.value
    return (
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        valid_host(host)
    except ValueError as error:
        raise ConfigurationError(
            f"host {host!r}: {error}; write a name with accents in its xn-- form"
        ) from error
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.rstrip(".").lower())
