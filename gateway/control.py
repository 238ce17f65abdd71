"""What the service does to nodes when it is told to, in one object that the web is handed."""

from dataclasses import dataclass
from typing import Any

from gateway.endpoint import Endpoint
from gateway.firmware.shelf import Shelf
from gateway.node_commands import CommandDesk
from gateway.retained import RetainedDesk
from gateway.settings import Settings
from ingest.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Control:
    """Commands, bundles, and the token without which nobody is heard."""

    commands: CommandDesk
    retained: RetainedDesk
    shelf: Shelf
    token: str
    base_url: str | None
    """Where nodes reach the page; `None` where the settings don't tell."""
    has_tls: bool = False
    """Whether what is said to the broker is encrypted."""

    def offer(self, bundle: str) -> dict[str, Any]:
        """The fields of the command `update` for a bundle of the shelf.

        Raises `ConfigurationError` and `BundleError`.
        """
        if self.base_url is None:
            raise ConfigurationError(
                "under which address nodes reach this gateway is not known: set firmware.url in "
                "preau.toml, such as http://192.168.1.10:8080"
            )
        offer = self.shelf.offer(bundle)
        return {
            "url": f"{self.base_url}/firmware/{offer.name}",
            "version": offer.version,
            "size": offer.size,
            "sha256": offer.sha256,
        }


def base_url_of(settings: Settings) -> str | None:
    """What is set, else the page's own address where it names one machine."""
    if settings.firmware.url is not None:
        return settings.firmware.url.rstrip("/")
    host, port = settings.http.host, settings.http.port
    if not port or host in {"0.0.0.0", "::"}:
        return None
    return f"http://{Endpoint(host, port)}"
