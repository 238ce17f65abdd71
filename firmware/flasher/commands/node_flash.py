"""`preau node flash`: from a board that is plugged in to a node whose first reading is stored."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from firmware.flasher.account import TownAccounts
from firmware.flasher.board_state import KeptStates
from firmware.flasher.bundle import build_bundle, flash_files
from firmware.flasher.errors import FlashError
from firmware.flasher.estate_entry import EstateEntry
from firmware.flasher.first_reading import GatewayApi, Reading, gateway_url
from firmware.flasher.flashing import Flashed, Flasher
from firmware.flasher.node_files import extra_config, sensor_list, surroundings
from firmware.flasher.serial_board import SerialBoard
from firmware.flasher.serial_ports import PortLister, usb_ports
from firmware.flasher.telling import Teller, teller
from gateway.commands.names import ROOM
from gateway.commands.node_label import CREDENTIALS
from gateway.commands.options import json_option, settings_option
from gateway.firmware.shelf import Shelf
from gateway.settings import Settings, load_settings
from ingest.errors import ConfigurationError, PreauError

BOARDS: Final = "boards"
"""Folder within the data folder: what boards held that are being written."""
_WAIT_S: Final = 180
_LOOK_AGAIN_S: Final = 0.5


@click.command(
    epilog="Example: preau node flash --room jules-ferry/cp-a --micropython ESP32_GENERIC.bin",
    short_help="Make a node of a board, and wait for its first reading.",
)
@click.option(
    "--port", help="The board's serial port, such as /dev/ttyUSB0; else the one there is."
)
@click.option("--room", type=ROOM, metavar="SITE/ROOM", help="Where it will hang; else still open.")
@click.option(
    "--sensors",
    metavar="LIST",
    help="Such as sht4x@0x44,scd4x@0x62; else what answers on its bus.",
)
@click.option(
    "--node-config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="JSON with more of its config.json, such as other pins.",
)
@click.option(
    "--micropython",
    "images",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="MicroPython's .bin for a new board; repeat for several chips. Else [[micropython]].",
)
@click.option("--batch", is_flag=True, help="One board after the other, as they are plugged in.")
@click.option("--no-wait", is_flag=True, help="End after the verification.")
@click.option(
    "--wait-s",
    default=_WAIT_S,
    show_default=True,
    type=click.IntRange(1, 3600),
    help="How long to wait for the first reading.",
)
@click.option("--discard", is_flag=True, help="Give up the readings that a board still holds.")
@click.option("--gateway", metavar="URL", help="The gateway's page; else as http of the settings.")
@settings_option
@json_option
def command(
    *,
    port: str | None,
    room: str | None,
    sensors: str | None,
    node_config: Path | None,
    images: Sequence[Path],
    batch: bool,
    no_wait: bool,
    wait_s: int,
    discard: bool,
    gateway: str | None,
    settings_file: Path | None,
    as_json: bool,
) -> int:
    """Write MicroPython and Préau onto a board, with an account of its own at the broker; declare
    it in the estate; wait until the gateway has stored its first reading.

    A board that is a node already stays the same node, and what it has not sent yet is handed to
    the gateway before anything is overwritten. Exits 1 where the board can't be flashed or no
    reading comes; the same command again goes on from there.
    """
    if batch and (port is not None or room is not None):
        raise click.UsageError("--batch takes boards as they come: no --port, no --room")
    settings = load_settings(settings_file)
    wishes = {} if node_config is None else extra_config(node_config)
    wishes |= {} if sensors is None else {"sensors": sensor_list(sensors)}
    told = teller(as_json=as_json)
    flasher = _flasher(settings, wishes, room, images, told, discard=discard)
    api = None if no_wait else GatewayApi(gateway_url(gateway, settings))
    work = Work(flasher, api, wait_s, told, as_json=as_json)
    if batch:
        return flash_batch(work, usb_ports)
    return work.do(port or chosen_port(usb_ports))


def _flasher(
    settings: Settings,
    wishes: dict[str, object],
    room: str | None,
    images: Sequence[Path],
    told: Teller,
    *,
    discard: bool,
) -> Flasher:
    data, nodes = settings.data.dir, settings.nodes
    if nodes.mosquitto_dir is None and not settings.broker.embedded:
        raise ConfigurationError(
            "nodes.mosquitto_dir is not set: each node gets an account of its own in the folder "
            "of `preau broker config`"
        )
    accounts = None
    if nodes.mosquitto_dir is not None:
        accounts = TownAccounts(nodes.mosquitto_dir, nodes.mosquitto_pid_file)
    town = surroundings(settings)
    entry = EstateEntry.wanted(settings, room)
    return Flasher(
        program=flash_files(build_bundle(), Shelf(data).keys.public_keys()),
        wishes=wishes,
        town=town,
        broker=settings.broker.address(),
        accounts=accounts,
        entry=entry,
        kept=KeptStates(data / BOARDS),
        credentials=data / CREDENTIALS,
        images=images,
        pinned=settings.micropython,
        discard=discard,
        teller=told,
    )


class Work:
    """What is done with each board, and what is said at its end."""

    def __init__(
        self, flasher: Flasher, api: GatewayApi | None, wait_s: int, told: Teller, *, as_json: bool
    ) -> None:
        self._flasher = flasher
        self._api = api
        self._wait_s = wait_s
        self._teller = told
        self._as_json = as_json

    def do(self, port: str) -> int:
        """Flash the board on this port; the exit status. Raises what flashing raises."""
        if self._api is not None:
            self._api.now()  # Before anything is written: nobody waits three minutes for a typo.
        with SerialBoard.connected(port) as board:
            flashed = self._flasher.flash(board)
            began = None if self._api is None else self._api.now()
            board.restart()
        self._teller.say(f"{flashed.node} {flashed.estate}")
        first = None if began is None else self._await(flashed, began)
        if self._as_json:
            told = asdict(flashed) | {"first_reading": None if first is None else asdict(first)}
            click.echo(json.dumps(told, indent=2))
        return 0 if began is None or first is not None else 1

    def _await(self, flashed: Flashed, began: datetime) -> Reading | None:
        waiting = self._teller.passing("waiting for its first reading")
        assert self._api is not None  # noqa: S101 - it gave `began`
        first = self._api.await_reading(flashed.node, began, self._wait_s, waiting)
        if first is not None:
            unit = f" {first.unit}" if first.unit else ""
            self._teller.say(f"first reading: {first.quantity} {first.value:g}{unit}")
            return first
        click.echo(
            f"preau: {flashed.node} is written, and no reading came within {self._wait_s} s: "
            "check nodes.wifi_ssid and its password, nodes.broker_host, and that a sensor is wired",
            err=True,
        )
        return None


def chosen_port(ports: PortLister) -> str:
    """The port of the one board there is, or of the one that the person at the terminal names.

    Raises `FlashError`.
    """
    found = ports()
    if not found:
        raise FlashError("no board is plugged in: use a cable that carries data, or give --port")
    if len(found) == 1:
        return found[0].device
    listed = [f"{port.device} ({port.text})" for port in found]
    if not sys.stdin.isatty():
        raise FlashError(
            f"several boards are plugged in, name one with --port: {', '.join(listed)}"
        )
    for number, line in enumerate(listed, start=1):
        click.echo(f"{number}  {line}", err=True)
    number = click.prompt("Which board", type=click.IntRange(1, len(found)), err=True)
    return found[number - 1].device


def flash_batch(work: Work, ports: PortLister) -> int:
    """Flash what is plugged in, then what comes, until Ctrl-C. A board that fails stops nobody."""
    failed = 0
    try:
        for port in boards_coming(ports):
            try:
                failed += work.do(port) != 0
            except PreauError as error:
                failed += 1
                click.echo(f"preau: {port}: {error}", err=True)
            click.echo("next board, please; Ctrl-C ends", err=True)
    except KeyboardInterrupt:
        pass
    return 1 if failed else 0


def boards_coming(ports: PortLister, pause_s: float = _LOOK_AGAIN_S) -> Iterator[str]:
    """Each port once for each time that it appears."""
    there: set[str] = set()
    while True:
        now = {port.device for port in ports()}
        yield from sorted(now - there)
        # What was unplugged meanwhile may come again.
        there = now
        time.sleep(pause_s)
