"""Which sensors there are: those that the settings name, and those that answer on a bus of which
they name none. Loaded to look and dropped again; what it finds it hands to `sensing`.

It knows chips, buses and quantities' names. It must not know what is measured when.
"""

import machine
import seldom
from diary import note
from drivers import SensorError, place
from micropython import const
from senml import number
from sensing import Sensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from node_types import Driver, Json
    from sensing import Sensors

# Chip, where, I2C addresses, quantities in the driver's order; "~" warms itself. Where two share an
# address, the first that gives its identity counts; where two measure the same, the first in this
# list has the plain name. One text, because every name of its own stays in memory for good.
_CHIPS = (
    "sht4x i2c 444546 temperature humidity|"
    "sht3x i2c 4445 temperature humidity|"
    "bme280 i2c 7677 temperature humidity pressure|"
    "ds18b20 wire - temperature|"
    "dht22 pin - temperature humidity|"
    "scd4x i2c 62 ~co2 temperature humidity|"
    "scd30 i2c 61 ~co2 temperature humidity|"
    "s8 uart - ~co2|"
    "mhz19 uart - ~co2|"
    "battery pin - battery|"
    "contact pin - opening|"
    "motion pin - motion"
)

_SCD30 = const(0x61)

# They warm up for longer than a wake, or tell what happens between two.
_AWAKE = const("s8 mhz19 contact motion")


def _entries() -> Iterator[list[str]]:
    """[chip, where, addresses, quantities…] of each."""
    for line in _CHIPS.split("|"):
        yield line.split(" ")


def _entry_of(chip: str | None) -> list[str] | None:
    for known in _entries():
        if known[0] == chip:
            return known
    return None


def _at(address: int) -> list[list[str]]:
    """The entries of chips that may be at this I2C address."""
    digits = "{:02x}".format(address)
    return [
        known
        for known in _entries()
        if any(digits == known[2][at : at + 2] for at in range(0, len(known[2]), 2))
    ]


def _driver(sensors: Sensors, chip: str) -> Callable[..., Driver]:
    """The class of a chip's driver; its module lives as long as one of them is used."""
    for sensor in sensors.all:
        if sensor.driver.name.startswith(chip + "@"):
            return type(sensor.driver)
    return getattr(seldom.load("drivers." + chip), chip[0].upper() + chip[1:])  # type: ignore[no-any-return]


async def find(sensors: Sensors) -> None:
    """Adds to `sensors` what it does not have yet."""
    settings = sensors.settings
    if not sensors.all:
        sensors.calibrated = seldom.load("calibration").kept()
    sensors.incomplete = False
    pinned = settings.sensors or ()
    named = [known[1] for known in (_entry_of(pin.get("chip")) for pin in pinned) if known]
    _open(sensors)
    for pin in pinned:
        try:
            _add_pinned(sensors, pin)
        except (KeyError, TypeError, ValueError) as error:
            note("sensors: {} refused: {!r}".format(pin, error))
    if sensors.i2c is not None and "i2c" not in named:
        await _scan_i2c(sensors)
    if sensors.wire is not None and "wire" not in named:
        _scan_wire(sensors)
    if sensors.uart is not None and "uart" not in named:
        await _probe_uart(sensors)


def _open(sensors: Sensors) -> None:
    """Opens the buses that are configured; one that can't be is noted, and the others go on."""
    settings = sensors.settings
    for bus, known, make in (
        ("i2c", sensors.i2c, _open_i2c),
        ("onewire", sensors.wire, _open_wire),
        ("uart", sensors.uart, _open_uart),
    ):
        wanted = getattr(settings, bus)
        if known is None and wanted is not None:
            try:
                make(sensors, wanted)
            except (KeyError, TypeError, ValueError, OSError) as error:
                note("{} {} refused: {!r}".format(bus, wanted, error))


def _open_i2c(sensors: Sensors, wanted: Json) -> None:
    # An SCD30 may still be starting, which takes it up to 2 s, and then does not answer.
    soft = any(pin.get("chip") == "scd30" for pin in sensors.settings.sensors or ())
    sensors.i2c, sensors.is_soft = seldom.load("i2c_bus").open_bus(wanted, soft)


def _open_wire(sensors: Sensors, pin: int) -> None:
    import onewire

    line = onewire.OneWire(machine.Pin(pin))
    sensors.wire = seldom.load("drivers.ds18b20").Wire(line, "pin{}".format(pin))


def _open_uart(sensors: Sensors, wanted: Json) -> None:
    sensors.uart = machine.UART(wanted.get("id", 2), 9600, tx=wanted["tx"], rx=wanted["rx"])


def _add(
    sensors: Sensors,
    known: list[str],
    driver: Driver,
    channel: str | None = None,
    quantity: str | None = None,
) -> None:
    if driver.name in sensors.names:
        return
    if sensors.settings.life == "battery" and known[0] in _AWAKE.split(" "):
        if driver.name not in sensors.failing:
            sensors.failing.append(driver.name)
            # Not again at each wake.
            if machine.reset_cause() != machine.DEEPSLEEP_RESET:
                note(driver.name + ": needs a node that does not sleep")
        return
    warm = known[3][0] == "~"
    outputs = []
    for name in (quantity,) if quantity else known[3:]:
        output = number(name.lstrip("~"))
        outputs.append((output, channel or _channel(sensors, output, driver.name, warm)))
    sensors.all.append(Sensor(driver, tuple(outputs), warm))
    sensors.names.append(driver.name)
    sensors.changed = True


def _channel(sensors: Sensors, quantity: int, name: str, warm: bool) -> str | None:
    """None for the first to measure a quantity; else the chip and the end of its address."""
    for other in sensors.all:
        # What a chip that warms itself measures besides gives way to the others.
        if other.warm == warm and (quantity, None) in other.outputs:
            chip, _, address = name.partition("@")
            address = address.replace("0x", "")
            return chip + "-" + address[-(15 - len(chip)) :]
    return None


# -- named in the settings -------------------------------------------------------------------


def _add_pinned(sensors: Sensors, pin: Json) -> None:
    known = _entry_of(pin["chip"])
    if known is None:
        raise ValueError("no driver")
    where = known[1]
    if where == "i2c":
        make = _driver(sensors, known[0])
        driver = _on_i2c(sensors, known, make, pin["address"], pin.get("single_shot", False))
    elif where == "wire":
        if sensors.wire is None:
            raise ValueError("no onewire")
        serial = bytes.fromhex(pin["address"][3:])
        rom = bytes((0x28,)) + bytes(reversed(serial))
        driver = sensors.wire.chip(rom + bytes((sensors.wire.line.crc8(rom),)))
    elif where == "uart":
        if sensors.uart is None:
            raise ValueError("no uart")
        driver = _driver(sensors, known[0])(sensors.uart)
    else:
        driver = _on_pin(known[0], _driver(sensors, known[0]), pin)
    _add(sensors, known, driver, pin.get("channel"), pin.get("quantity"))


def _on_i2c(
    sensors: Sensors,
    known: list[str],
    make: Callable[..., Driver],
    address: int,
    single: bool = False,
) -> Driver:
    if sensors.i2c is None:
        raise ValueError("no i2c")
    if known[0] == "scd4x":
        # Periodic measurement would be started, and thrown away, at each wake.
        single = single or sensors.settings.life == "battery"
        return make(sensors.i2c, address, single, machine.reset_cause() == machine.PWRON_RESET)
    return make(sensors.i2c, address)


def _on_pin(chip: str, make: Callable[..., Driver], pin: Json) -> Driver:
    at = pin["pin"]
    name = "pin{}".format(at)
    if chip == "battery":
        adc = machine.ADC(machine.Pin(at), atten=machine.ADC.ATTN_11DB)
        return make(adc, at, pin.get("divider", 2), pin.get("samples", 32))
    if chip == "contact":
        switch = machine.Pin(at, machine.Pin.IN, machine.Pin.PULL_UP)
        return make(switch, name, pin.get("inverted", False))
    if chip == "motion":
        return make(machine.Pin(at, machine.Pin.IN, machine.Pin.PULL_DOWN), name)
    return make(machine.Pin(at), name)


# -- found -----------------------------------------------------------------------------------


async def _scan_i2c(sensors: Sensors) -> None:
    assert sensors.i2c is not None
    try:
        present = sensors.i2c.scan()
    except OSError as error:
        note("I2C scan failed:", error)
        sensors.incomplete = True
        return
    if _SCD30 in present:
        _slow_down(sensors)
    for known in _entries():
        for address in present:
            if address not in sensors.seen and known in _at(address):
                await _identify(sensors, known, address)
    for address in present:
        if address in sensors.seen:
            continue
        if _at(address):
            # Two kinds of chip may be there, and neither gave its identity: later again.
            sensors.incomplete = True
            name = place("unknown", address)
            if name not in sensors.failing:
                sensors.failing.append(name)
                sensors.changed = True
        else:
            sensors.seen += bytes((address,))
        note("I2C: nothing known answers at 0x{:02x}".format(address))


def _slow_down(sensors: Sensors) -> None:
    """For an SCD30 that answers only now: another bus, on which all chips get drivers anew."""
    if not sensors.is_soft:
        sensors.all = [sensor for sensor in sensors.all if "@0x" not in sensor.driver.name]
        sensors.names = [name for name in sensors.names if "@0x" not in name]
        sensors.seen = b""
        bus = seldom.load("i2c_bus")
        sensors.i2c, sensors.is_soft = bus.open_bus(sensors.settings.i2c, True)


async def _identify(sensors: Sensors, known: list[str], address: int) -> None:
    """Adds a chip whose address tells what it is, or which gives its identity."""
    driver = _on_i2c(sensors, known, _driver(sensors, known[0]), address)
    if len(_at(address)) > 1:
        try:
            await driver.start()
        except SensorError:
            return
    sensors.seen += bytes((address,))
    name = place("unknown", address)
    if name in sensors.failing:
        sensors.failing.remove(name)
    _add(sensors, known, driver)


def _scan_wire(sensors: Sensors) -> None:
    known = _entry_of("ds18b20")
    assert known is not None
    assert sensors.wire is not None
    try:
        roms = sensors.wire.scan()
    except SensorError as error:
        note(error)
        roms = []
    if not roms:
        sensors.incomplete = True
    alone = len(roms) == 1
    for rom in sorted(roms):
        driver = sensors.wire.chip(rom)
        # With several, which one is "first" would change with the next: each has its own name.
        _add(sensors, known, driver, None if alone else "ds18b20-" + driver.name[-8:])


async def _probe_uart(sensors: Sensors) -> None:
    for chip in ("s8", "mhz19"):
        known = _entry_of(chip)
        assert known is not None
        driver = _driver(sensors, known[0])(sensors.uart)
        if driver.name in sensors.names:
            return
        try:
            await driver.start()
        except SensorError:
            continue
        _add(sensors, known, driver)
        return
    note("uart: neither s8 nor mhz19 answers")
    sensors.incomplete = True
