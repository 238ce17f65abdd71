"""Does the broker answer, does it let us in, and is the way to it closed to others?"""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from gateway.checks.finding import Finding, Given, failed, good, warning
from gateway.endpoint import is_loopback
from gateway.mqtt.address import BrokerAddress
from gateway.mqtt.connection import BrokerRefusedError
from gateway.mqtt.packets import MalformedPacketError
from gateway.mqtt.probe import Welcome, probe
from gateway.pki.expiry import WARNED_DAYS
from ingest.errors import ConfigurationError

_TIMEOUT_S: Final = 5.0


async def check(given: Given) -> Sequence[Finding]:
    """Connect as the gateway does, under another client id."""
    broker = given.settings.broker
    if broker.embedded and not given.is_running:
        return [good("the embedded broker starts with preau run")]
    try:
        address = broker.address()
        welcome = await probe(address, _TIMEOUT_S)
    except ConfigurationError as error:
        return [failed(str(error), "mend the file, or the setting that names it")]
    except (BrokerRefusedError, MalformedPacketError, OSError) as error:
        return [_failure(error, address)]
    return [_welcomed(address), *_ending(welcome, address, given), *_open_way(address)]


def _welcomed(address: BrokerAddress) -> Finding:
    who = f" and lets {address.username} in" if address.username else ""
    secured = " over TLS" if address.ca else ""
    return good(f"the broker {address} answers{secured}{who}")


def _failure(error: Exception, address: BrokerAddress) -> Finding:
    told = f"the broker {address}"
    match error:
        case BrokerRefusedError():
            return failed(
                f"{told} refuses {address.username or 'who gives no name'}: {error}",
                "compare broker.username and broker.password_file with the broker's accounts",
            )
        case ssl.SSLCertVerificationError():
            return failed(
                f"{told}: its certificate is not accepted: {error.verify_message}",
                "compare broker.tls_ca and broker.host with preau pki show",
            )
        case ssl.SSLError():
            return failed(
                f"{told} does not speak TLS there: {error.reason or error}",
                "set broker.port to its TLS listener (8883), or leave broker.tls_ca out",
            )
        case TimeoutError():
            remedy = "is there a firewall between? is broker.tls_ca missing for a TLS port?"
            return failed(f"{told} does not answer within {_TIMEOUT_S:g} s", remedy)
        case MalformedPacketError() | ConnectionResetError():
            return failed(f"{told}: {error}", "look at broker.port; a TLS port needs broker.tls_ca")
        case OSError():
            reason = error.strerror or str(error)
            remedy = "is it running (systemctl status mosquitto)? look at broker.host and port"
            return failed(f"{told} can't be reached: {reason}", remedy)
    raise error


def _ending(welcome: Welcome, address: BrokerAddress, given: Given) -> Sequence[Finding]:
    if welcome.certificate is None:
        return []
    ends_at = x509.load_der_x509_certificate(welcome.certificate).not_valid_after_utc
    days = (ends_at - datetime.fromtimestamp(given.now_ms / 1000, UTC)).days
    if days >= WARNED_DAYS:
        return []
    told = f"the certificate that the broker {address} shows ends in {days} days"
    return [warning(told, "preau pki renew broker, then have the broker reload")]


def _open_way(address: BrokerAddress) -> Sequence[Finding]:
    if address.ca is not None or is_loopback(address.host):
        return []
    told = f"nothing is encrypted on the way to the broker {address}, passwords included"
    return [warning(told, "set up TLS: preau pki create, then broker.tls_ca")]
