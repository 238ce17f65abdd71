"""What the node was told, as attributes: from `config.json`, which is written with the firmware and
holds the secrets, and from the gateway, which never sends any.

`settings_load` reads, checks and saves them.
"""

import seldom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Json


class Settings:
    """As they are now; `update` takes those that the gateway wants."""

    wifi: list[Json]
    brokers: list[Json]
    configured: bool
    ip: object
    ntp: str | None
    i2c: Json
    sensors: list[Json] | None
    onewire: int | None
    uart: Json | None
    led: int | None
    light: Json | None
    co2_abc: bool | None
    board: str
    outbox_bytes: int
    interval_s: int
    health_every: int
    life: str
    wifi_every: int
    setup_code: str | None
    setup_port: int
    button: int | None
    version: int
    error: str | None

    def __init__(self) -> None:
        seldom.run("settings_load", "load", self)

    def update(self, desired: object) -> bool:
        """Saves and applies newer settings; says whether presence has something new to tell of
        them. What is refused is told there, with the reason, and changes nothing.
        """
        return seldom.run("settings_load", "update", self, desired)
