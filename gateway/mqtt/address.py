"""Where a broker is and how to be let in. It must not know how a session uses it."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from ingest.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker's host, port and credentials.

    TLS is used when the CA that signed it is given; with `tls` alone the system's are trusted.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    tls: bool = False

    def tls_context(self) -> ssl.SSLContext | None:
        """A context that trusts `ca` alone, or the system's; None for a plain connection.

        Raises ConfigurationError when the file can't be read or holds no certificate.
        """
        if self.ca is None:
            return ssl.create_default_context() if self.tls else None
        try:
            return ssl.create_default_context(cafile=str(self.ca))
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"the broker's CA {str(self.ca)!r} can't be used: {error}"
            ) from error

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
