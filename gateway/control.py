"""What the service does to nodes when it is told to, in one object that the web is handed."""

from dataclasses import dataclass

from gateway.endpoint import Endpoint
from gateway.firmware.offers import Offers
from gateway.node_commands import CommandDesk
from gateway.retained import RetainedDesk
from gateway.rollout_desk import RolloutDesk
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Control:
    """Commands, bundles, the rollout, and the token without which nobody is heard."""

    commands: CommandDesk
    retained: RetainedDesk
    offers: Offers
    rollouts: RolloutDesk
    token: str
    has_tls: bool = False
    """Whether what is said to the broker is encrypted."""


def base_url_of(settings: Settings) -> str | None:
    """What is set, else the page's own address where it names one machine."""
    if settings.firmware.url is not None:
        return settings.firmware.url.rstrip("/")
    host, port = settings.http.host, settings.http.port
    if not port or host in {"0.0.0.0", "::"}:
        return None
    return f"http://{Endpoint(host, port)}"
