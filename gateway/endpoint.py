"""`HOST:PORT` as people write it: taken apart, checked, written again.

It opens nothing and looks no name up.
"""

import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from ingest.errors import ConfigurationError

_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")


class Endpoint(NamedTuple):
    """A host (a name or an address, IPv6 without brackets) and a port; 0 is "any free one"."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Read `localhost:8080`, `0.0.0.0:80` or `[::1]:8080`.

    Raises `ConfigurationError`, which says how to write it.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    elif ":" in host or not colon or not host:
        raise ConfigurationError(
            f"{text!r} is not HOST:PORT; write 127.0.0.1:8080, or [::1]:8080 for IPv6"
        )
    # `isdecimal` alone would take the digits of other scripts.
    if not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 65535:
        raise ConfigurationError(f"{text!r}: the port must be a number from 0 to 65535")
    try:
        return Endpoint(valid_host(host), int(port))
    except ValueError as error:
        raise ConfigurationError(f"{text!r}: the host {error}") from error


def valid_host(host: str) -> str:
    """The host as given, if it is an address or can be a name; else `ValueError`."""
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        if len(host) > 253 or not _NAME.fullmatch(host):
            raise ValueError("must be a host name or an IP address, without port") from error
    return host


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in {"localhost", "localhost."}


def public_address(value: str) -> str:
    """The page's address as others find it, without a slash at its end. `ValueError`."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable():
        raise ValueError("must look like https://preau.example.fr")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("must be host and path only")
    return value.rstrip("/")
