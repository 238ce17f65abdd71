"""HTTP to an InfluxDB: the session with its credentials, and what its failures mean."""

import os
import ssl

import aiohttp

from ingest.errors import ConfigurationError
from ingest.forwarder.errors import InfluxAwayError, InfluxSetupError
from ingest.forwarder.target import Target


def open_session(target: Target) -> aiohttp.ClientSession:
    """A session of at most two connections; secrets stand in a header, not in the address."""
    auth, headers = None, {}
    if target.username is not None:
        auth = aiohttp.BasicAuth(target.username, target.password or "", encoding="utf-8")
    elif target.token:
        headers["Authorization"] = f"Token {target.token}"
    return aiohttp.ClientSession(
        auth=auth,
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=target.timeout_s),
        connector=aiohttp.TCPConnector(ssl=tls_of(target), limit=2),
    )


def away(target: Target, error: BaseException) -> InfluxAwayError | InfluxSetupError:
    """What an error of the connection means."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return InfluxSetupError(f"{target.url}: its certificate is not accepted: {error}")
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        reason = os.strerror(number) if number and number > 0 else str(error.os_error)
        return InfluxAwayError(f"{target.url} can't be reached: {reason}")
    if isinstance(error, TimeoutError):
        return InfluxAwayError(f"{target.url}: no answer within {target.timeout_s:g} s")
    return InfluxAwayError(f"{target.url}: {error or type(error).__name__}")


def tls_of(target: Target) -> ssl.SSLContext | bool:
    """How certificates are checked: by the town's own CA where one is given."""
    if target.tls_ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(target.tls_ca))
    except OSError as error:
        raise ConfigurationError(
            f"forwarder {target.name}: tls_ca {str(target.tls_ca)!r} can't be used: {error}"
        ) from error
