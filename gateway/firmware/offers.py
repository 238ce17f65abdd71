"""What nodes are offered: a bundle of the shelf, and the address at which they fetch it."""

from dataclasses import dataclass
from typing import Any

from gateway.firmware.shelf import Shelf
from ingest.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Offers:
    """Bundles as the command `update` names them."""

    shelf: Shelf
    base_url: str | None
    """Where nodes reach the page; `None` where the settings don't tell."""

    def fields(self, bundle: str) -> dict[str, Any]:
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
