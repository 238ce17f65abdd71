"""`preau node battery`: how long a battery lasts, from how long a node was awake and on the air.

The node measures the times and says them when it goes to sleep; currents are assumptions, each of
them an option. It is an estimate: only a meter in the battery's lead knows.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click

from gateway.commands.options import json_option, settings_option
from gateway.nodes import Presence
from gateway.presence import stored_presences
from gateway.settings import load_settings
from ingest.errors import ConfigurationError
from ingest.store.database import FILE_NAME
from ingest.store.reader import StoreReader

_DAY_S: Final = 86_400
# Cells are not emptied to the last: a regulator wants its voltage, and cold takes some.
USABLE: Final = 0.8
# Of lithium cells some 2 % a month go by themselves.
_SELF_DISCHARGE_A_DAY: Final = 0.02 / 30


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a day takes, in mAh, and for how many days the battery has that."""

    sleeping_mah: float
    awake_mah: float
    radio_mah: float
    lost_mah: float
    days: float


def estimate(
    *,
    capacity_mah: float,
    every_s: float,
    wifi_every: int,
    awake_s: float,
    radio_s: float,
    sleep_ma: float,
    awake_ma: float,
    radio_ma: float,
) -> Estimate:
    """A day is `86400 / every_s` wakes, every `wifi_every`-th with the radio on.

    A wake takes `awake_s` without what the radio takes, that is `radio_s`, at its own current.
    Days = usable capacity / (sleep + awake + radio + self-discharge a day).
    """
    wakes = _DAY_S / every_s
    on_air_s = wakes / wifi_every * radio_s
    awake_total_s = wakes * awake_s
    sleeping_mah = max(0.0, _DAY_S - awake_total_s - on_air_s) * sleep_ma / 3600
    awake_mah = awake_total_s * awake_ma / 3600
    radio_mah = on_air_s * radio_ma / 3600
    lost_mah = capacity_mah * _SELF_DISCHARGE_A_DAY
    days = capacity_mah * USABLE / (sleeping_mah + awake_mah + radio_mah + lost_mah)
    return Estimate(sleeping_mah, awake_mah, radio_mah, lost_mah, days)


@click.command(
    epilog="Example: preau node battery 3c71bf4a2b10 --capacity-mah 3000 --every-s 600",
    short_help="Estimate how long a node's battery lasts.",
)
@click.argument("node")
@settings_option
@click.option("--capacity-mah", type=click.FloatRange(1), default=2600.0, show_default=True)
@click.option("--every-s", type=click.FloatRange(1), default=600.0, show_default=True)
@click.option("--wifi-every", type=click.IntRange(1, 144), default=6, show_default=True)
@click.option("--sleep-ma", type=click.FloatRange(0.001), default=0.08, show_default=True)
@click.option("--awake-ma", type=click.FloatRange(1), default=45.0, show_default=True)
@click.option("--radio-ma", type=click.FloatRange(1), default=130.0, show_default=True)
@json_option
def command(
    node: str, settings_file: Path | None, *, capacity_mah: float, as_json: bool, **options: float
) -> None:
    """Estimate how long NODE's battery lasts, from the seconds that it last told.

    Assumed are the currents: 0.08 mA asleep (boards take 0.01 to 0.15), 45 mA awake, 130 mA with
    the radio on, receiving most of the time and sending some of it; 80 % of the capacity usable,
    2 % self-discharge a month.
    """
    said = _presence(settings_file, node)
    if said is None or said.awake_ms is None or said.radio_ms is None:
        raise ConfigurationError(
            f"{node} has not told how long it was awake: nodes on batteries do, going to sleep"
        )
    result = estimate(
        capacity_mah=capacity_mah,
        every_s=options["every_s"],
        wifi_every=int(options["wifi_every"]),
        awake_s=max(0, said.awake_ms - said.radio_ms) / 1000,
        radio_s=said.radio_ms / 1000,
        sleep_ma=options["sleep_ma"],
        awake_ma=options["awake_ma"],
        radio_ma=options["radio_ma"],
    )
    if as_json:
        click.echo(json.dumps({"node": node} | asdict(result)))
        return
    click.echo(
        f"{node}: about {result.days:.0f} days ({result.days / 365:.1f} years) on "
        f"{capacity_mah:.0f} mAh. A day takes {result.sleeping_mah:.2f} mAh asleep, "
        f"{result.awake_mah:.2f} awake ({(said.awake_ms - said.radio_ms) / 1000:.1f} s a wake), "
        f"{result.radio_mah:.2f} on the air ({said.radio_ms / 1000:.1f} s), "
        f"{result.lost_mah:.2f} by itself. An estimate: see --help for what is assumed."
    )


def _presence(settings_file: Path | None, node: str) -> Presence | None:
    folder = load_settings(settings_file).data.dir
    if not (folder / FILE_NAME).exists():
        return None
    with StoreReader(folder) as reader:
        rows = ((name, *presence) for name, presence in reader.presences().items())
        return stored_presences(rows).get(node)
