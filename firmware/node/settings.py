"""What the node was told, as attributes: from `config.json`, which is written with the firmware and
holds the secrets, and from the gateway, which never sends any.

`settings_load` reads, checks and saves them.
"""

import seldom


class Settings:
    """As they are now; `update` takes those that the gateway wants."""

    wifi: list
    brokers: list
    configured: bool
    ip: object
    ntp: str
    i2c: dict
    sensors: list
    onewire: int
    uart: dict
    led: int
    light: dict
    co2_abc: bool
    board: str
    outbox_bytes: int
    interval_s: int
    health_every: int
    life: str
    wifi_every: int
    setup_code: str
    setup_port: int
    button: int
    version: int
    error: str

    def __init__(self):
        seldom.run("settings_load", "load", self)

    def update(self, desired) -> bool:
        """Saves and applies newer settings; says whether presence has something new to tell of
        them. What is refused is told there, with the reason, and changes nothing.
        """
        return seldom.run("settings_load", "update", self, desired)
