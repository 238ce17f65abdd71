"""What is asked of a stack, checked before anything of it is written. It knows no files."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.pki.hosts import alternative_names
from ingest.errors import ConfigurationError

BROKER_SERVICE: Final = "mosquitto"
"""The broker's name on the network of the containers, which its certificate must hold too."""
_MAIL: Final = re.compile(r"[^\s@;'\"\\$]+@[^\s@;'\"\\$]+")


@dataclass(frozen=True, slots=True)
class StackPlan:
    """A stack in `folder`. `hosts` are the names and addresses by which nodes reach the broker.

    Where something is not given, what is there already stays; the first time there is nothing.
    """

    folder: Path
    town: str | None = None
    hosts: tuple[str, ...] = ()
    mail: str = ""
    second_gateway: bool = False
    demo: bool = False

    def require_usable(self) -> None:
        """Raise `ConfigurationError` for what can't be used, before anything is written."""
        if not all(map(_MAIL.fullmatch, self.mail.split(";") if self.mail else [])):
            raise ConfigurationError(
                f"--mail {self.mail!r}: must be an address, several with ';' between them"
            )
        alternative_names(self.broker_hosts)

    @property
    def broker_hosts(self) -> tuple[str, ...]:
        """Every name in the broker's certificate."""
        return (*self.hosts, BROKER_SERVICE)
