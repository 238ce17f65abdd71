"""Which sensors there are: those that the settings name, and those that answer on a bus of which
they name none. Loaded to look and dropped again; what it finds it hands to `sensing`.

It knows chips, buses and quantities' names. It must not know what is measured when.
"""

import machine
import seldom
from diary import note
from drivers import SensorError, place
from senml import number
from sensing import Sensor

# Chip, class, where, I2C addresses, quantities in the driver's order; "~" warms itself. Where two
# share an address, the first that takes its identity counts; where two measure the same, the first
# in this list has the plain name.
_CHIPS = (
    ("sht4x", "Sht4x", "i2c", b"\x44\x45\x46", "temperature humidity"),
    ("sht3x", "Sht3x", "i2c", b"\x44\x45", "temperature humidity"),
    ("bme280", "Bme280", "i2c", b"\x76\x77", "temperature humidity pressure"),
    ("ds18b20", "Ds18b20", "wire", b"", "temperature"),
    ("dht22", "Dht22", "pin", b"", "temperature humidity"),
    ("scd4x", "Scd4x", "i2c", b"\x62", "~co2 temperature humidity"),
    ("scd30", "Scd30", "i2c", b"\x61", "~co2 temperature humidity"),
    ("s8", "S8", "uart", b"", "~co2"),
    ("mhz19", "Mhz19", "uart", b"", "~co2"),
    ("battery", "Battery", "pin", b"", "battery"),
    ("contact", "Contact", "pin", b"", "opening"),
    ("motion", "Motion", "pin", b"", "motion"),
)


def _entry_of(chip):
    for known in _CHIPS:
        if known[0] == chip:
            return known
    return None


def _driver(known):
    """The module of a chip's driver, loaded now and kept while one is used."""
    return getattr(__import__("drivers." + known[0], None, None, (known[1],)), known[1])


async def find(sensors):
    """Adds to `sensors` what it does not have yet."""
    settings = sensors.settings
    if not sensors.all:
        sensors.calibrated = seldom.load("calibration").kept()
    sensors.incomplete = False
    pinned = settings.sensors or ()
    named = [known[2] for known in (_entry_of(pin.get("chip")) for pin in pinned) if known]
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


def _open(sensors):
    settings = sensors.settings
    if sensors.i2c is None:
        sensors.i2c = seldom.load("i2c_bus").open_bus(settings.i2c)
    if sensors.wire is None and settings.onewire is not None:
        import onewire
        from drivers.ds18b20 import Wire

        line = onewire.OneWire(machine.Pin(settings.onewire))
        sensors.wire = Wire(line, "pin{}".format(settings.onewire))
    if sensors.uart is None and settings.uart:
        uart = settings.uart
        sensors.uart = machine.UART(uart.get("id", 2), 9600, tx=uart["tx"], rx=uart["rx"])


def _add(sensors, known, driver, channel=None, quantity=None):
    if driver.name in sensors.names:
        return
    warm = known[4][0] == "~"
    outputs = []
    for name in (quantity or known[4].lstrip("~")).split(" "):
        output = number(name)
        outputs.append((output, channel or _channel(sensors, output, driver.name, warm)))
    sensors.all.append(Sensor(driver, tuple(outputs), warm))
    sensors.names.append(driver.name)


def _channel(sensors, quantity: int, name: str, warm: bool):
    """None for the first to measure a quantity; else the chip and the end of its address."""
    for other in sensors.all:
        # What a chip that warms itself measures besides gives way to the others.
        if other.warm == warm and (quantity, None) in other.outputs:
            chip, _, address = name.partition("@")
            address = address.replace("0x", "")
            return chip + "-" + address[-(15 - len(chip)) :]
    return None


# -- named in the settings -------------------------------------------------------------------


def _add_pinned(sensors, pin):
    known = _entry_of(pin["chip"])
    if known is None:
        raise ValueError("no driver")
    make = _driver(known)
    where = known[2]
    if where == "i2c":
        driver = _on_i2c(sensors, known, make, pin["address"], pin.get("single_shot", False))
    elif where == "wire":
        if sensors.wire is None:
            raise ValueError("no onewire")
        serial = bytes.fromhex(pin["address"][3:])
        rom = bytes((0x28,)) + bytes(reversed(serial))
        driver = make(sensors.wire, rom + bytes((sensors.wire.line.crc8(rom),)))
    elif where == "uart":
        if sensors.uart is None:
            raise ValueError("no uart")
        driver = make(sensors.uart)
    else:
        driver = _on_pin(pin["chip"], make, pin)
    _add(sensors, known, driver, pin.get("channel"), pin.get("quantity"))


def _on_i2c(sensors, known, make, address: int, single: bool = False):
    if sensors.i2c is None:
        raise ValueError("no i2c")
    if known[0] == "scd4x":
        return make(sensors.i2c, address, single, machine.reset_cause() == machine.PWRON_RESET)
    return make(sensors.i2c, address)


def _on_pin(chip: str, make, pin):
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


async def _scan_i2c(sensors):
    try:
        present = sensors.i2c.scan()
    except OSError as error:
        note("I2C scan failed:", error)
        sensors.incomplete = True
        return
    for known in _CHIPS:
        for address in present:
            if address in known[3] and address not in sensors.seen:
                await _identify(sensors, known, address)
    for address in present:
        if address in sensors.seen:
            continue
        if any(address in known[3] for known in _CHIPS):
            # Two kinds of chip may be there, and neither gave its identity: later again.
            sensors.incomplete = True
            name = place("unknown", address)
            if name not in sensors.failing:
                sensors.failing.append(name)
        else:
            sensors.seen += bytes((address,))
        note("I2C: nothing known answers at 0x{:02x}".format(address))


async def _identify(sensors, known, address: int):
    """Adds a chip whose address tells what it is, or which gives its identity."""
    driver = _on_i2c(sensors, known, _driver(known), address)
    if sum(address in other[3] for other in _CHIPS) > 1:
        try:
            await driver.start()
        except SensorError:
            return
    sensors.seen += bytes((address,))
    name = place("unknown", address)
    if name in sensors.failing:
        sensors.failing.remove(name)
    _add(sensors, known, driver)


def _scan_wire(sensors):
    known = _entry_of("ds18b20")
    try:
        roms = sensors.wire.scan()
    except SensorError as error:
        note(error)
        roms = []
    if not roms:
        sensors.incomplete = True
    make = _driver(known)
    alone = len(roms) == 1
    for rom in sorted(roms):
        driver = make(sensors.wire, rom)
        # With several, which one is "first" would change with the next: each has its own name.
        _add(sensors, known, driver, None if alone else "ds18b20-" + driver.name[-8:])


async def _probe_uart(sensors):
    for chip in ("s8", "mhz19"):
        known = _entry_of(chip)
        driver = _driver(known)(sensors.uart)
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
