import asyncio
import sys

from drivers import SensorError


class _Bus:
    """Answers every read with the same bytes, of which one may be damaged."""

    def __init__(self, answer):
        self.answer = bytearray(answer)

    def writeto(self, address, data):
        return len(data)

    def readfrom_into(self, address, into):
        into[:] = self.answer[: len(into)]


class _Uart:
    def __init__(self, answer):
        self.answer = bytearray(answer)
        self.rest = b""

    def any(self):
        return len(self.rest)

    def read(self, size):
        self.rest = b""

    def write(self, data):
        self.rest = bytes(self.answer)

    def readinto(self, into):
        size = min(len(into), len(self.rest))
        into[:size] = self.rest[:size]
        self.rest = self.rest[size:]
        return size


def _refused(awaitable):
    try:
        asyncio.run(awaitable)
    except SensorError:
        return True
    return False


def _each_damage(answer):
    """Every bit of every byte the wrong way round, and every byte gone to 0 and 255."""
    for at in range(len(answer)):
        right = answer[at]
        for wrong in [right ^ 1 << bit for bit in range(8)] + [0, 255]:
            if wrong != right:
                answer[at] = wrong
                yield at, wrong
        answer[at] = right


def sensirion_checksum_is_the_datasheets():
    from drivers.sensirion import crc8

    assert crc8(b"\xbe\xef", 0, 2) == 0x92
    assert crc8(b"\x00\x00", 0, 2) == 0x81


def sensirion_answers_with_any_damage_are_refused():
    from drivers.sensirion import WordDevice

    # SCD30, interface description, example of reading: 439 ppm, 27.2 °C, 48.8 %.
    bus = _Bus(bytes.fromhex("43dbcb8c2e8f41d970e7fff54243bf3a1b74"))
    device = WordDevice(bus, "chip", 0x61, 6)
    assert device.read(6)[0] == 0x43DB
    for damage in _each_damage(bus.answer):
        try:
            device.read(6)
            raise AssertionError(damage)
        except SensorError:
            pass
    assert device.read(6)[5] == 0x3A1B


class _Sensirion(_Bus):
    """Answers each command, argument included, with the words of an example."""

    def __init__(self, answers):
        super().__init__(b"")
        self.answers = answers
        self.asked = []

    def writeto(self, address, data):
        self.asked.append(bytes(data).hex())
        self.answer = bytes.fromhex(self.answers.get(self.asked[-1], ""))
        return len(data)


def scd4x_gives_its_worked_examples():
    from drivers.scd4x import Scd4x

    # Datasheet SCD4x, §3.5.2, §3.7.1, §3.7.3, §3.9.2.
    bus = _Sensirion(
        {
            "e4b8": "800604",
            "ec05": "01f4336667a25eb93c",
            "362f01e0b4": "7fce7b",
            "2313": "000081",
            "3682": "f896319f07c23bbe89",
        }
    )
    chip = Scd4x(bus)
    assert asyncio.run(chip.start()) == 273_325_796_834_238
    assert chip.abc is False
    assert asyncio.run(chip.measure()) == (500, 2500, 370)
    assert asyncio.run(chip.calibrate(480)) == -50
    # §3.7.2: enabled.
    chip.wanted_abc = True
    asyncio.run(chip.start())
    assert "24160001b0" in bus.asked
    # Table 18: the word of a recalibration that failed.
    bus.answers["362f01e0b4"] = "ffffac"
    assert _refused(chip.calibrate(480))


def scd30_gives_its_worked_example():
    from drivers.scd30 import Scd30

    class Bus(_Bus):
        def writeto(self, address, data):
            ready = data[:2] == b"\x02\x02"
            values = "43dbcb8c2e8f41d970e7fff54243bf3a1b74"
            self.answer = bytes.fromhex("0001b0" if ready else values)
            return len(data)

    assert asyncio.run(Scd30(Bus(b"")).measure()) == (439, 2724, 488)


def sht3x_and_sht4x_turn_the_ends_of_their_scale():
    from drivers.sensirion import hundredths

    assert (hundredths(0), hundredths(0xFFFF)) == (-4500, 13000)
    # SHT3x and SCD4x: 0x6667 is 25.00 °C (datasheet SCD4x, example of read_measurement).
    assert hundredths(0x6667) == 2500


def bme280_gives_bosch_worked_example():
    from drivers.bme280 import compensate

    # Datasheet BMP280, §3.12, whose formulas for these two are the same; humidity has none.
    trim = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    trim += 75, 360, 0, 325, 50, 30
    temperature, humidity, pressure = compensate(trim, 519_888, 415_148, 30_000)
    assert temperature == 2508
    # 25767236 / 256 Pa.
    assert pressure == 100_653, pressure
    assert 0 <= humidity <= 1000


def mhz19_frames_are_the_manuals():
    from drivers.mhz19 import frame

    assert frame(0x86) == bytes.fromhex("ff0186000000000079")
    assert frame(0x87) == bytes.fromhex("ff0187000000000078")
    assert frame(0x79, 0xA0) == bytes.fromhex("ff0179a000000000e6")
    assert frame(0x79) == bytes.fromhex("ff0179000000000086")


def mhz19_answers_with_any_damage_are_refused():
    from drivers.mhz19 import Mhz19, checksum

    uart = _Uart(bytes.fromhex("ff8602604700000000"))
    uart.answer[8] = checksum(uart.answer)
    # The manual's example: 0x0260 is 608 ppm; D1 is its checksum.
    assert uart.answer[8] == 0xD1
    asyncio.run(Mhz19(uart).start())
    for damage in _each_damage(uart.answer):
        assert _refused(Mhz19(uart).start()), damage


def s8_checksum_is_that_of_modbus():
    from drivers.s8 import crc16

    for text in (
        "fe0400030001d5c5",  # Read CO2.
        "fe0400000004e5c6",
        "fe03001f0001a1c3",
        "fe06001f0000ac03",
        "fe06001f00b4ac74",
        "fe0600017c066cc7",
        "fe04020190acd8",  # Answered: 400 ppm.
    ):
        data = bytes.fromhex(text)
        assert crc16(data, len(data) - 2) == data[-2] | data[-1] << 8, text


def s8_answers_with_any_damage_are_refused():
    from drivers.s8 import S8

    # The document's answer of HR32: a period of 180 hours.
    uart = _Uart(bytes.fromhex("fe030200b4ac27"))
    chip = S8(uart)
    asyncio.run(chip.start())
    assert chip.abc
    for damage in _each_damage(uart.answer):
        assert _refused(chip.start()), damage


class _Line:
    SKIP_ROM = 0xCC

    def __init__(self, answer):
        self.answer = bytearray(answer)

    def reset(self):
        return True

    def select_rom(self, rom):
        pass

    def writebyte(self, byte):
        pass

    def readinto(self, into):
        into[:] = self.answer

    def crc8(self, data):
        crc = 0
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
        return crc


def ds18b20_answers_with_any_damage_are_refused():
    from drivers.ds18b20 import Ds18b20, Wire, rom_text

    line = _Line(bytes.fromhex("91014b467fff0c10") + b"\0")
    line.answer[8] = line.crc8(line.answer[:8])
    rom = bytes.fromhex("28a531240700005a")
    assert rom_text(rom) == "28-0000072431a5"
    chip = Ds18b20(Wire(line, "pin4"), rom)
    assert asyncio.run(chip.start()) == 0x191
    for damage in _each_damage(line.answer):
        assert _refused(chip.start()), damage
    # Zeros throughout have the right checksum, and are no answer.
    line.answer[:] = bytes(9)
    assert _refused(chip.start())


def dht22_answers_with_any_damage_are_refused():
    answer = bytearray(bytes.fromhex("028c015fee"))

    class Machine:
        @staticmethod
        def dht_readinto(pin, into):
            into[:] = answer

    sys.modules["machine"] = Machine
    from drivers import dht22

    dht22.time = _Time()
    chip = dht22.Dht22(None, "pin15")
    # The datasheet's example: 65.2 %, 35.1 °C.
    assert asyncio.run(chip.measure()) == (3510, 652)
    for damage in _each_damage(answer):
        assert _refused(chip.measure()), damage


class _Time:
    """Two seconds go by between any two looks at the clock."""

    def __init__(self):
        self.now_ms = 0

    def ticks_ms(self):
        self.now_ms += 2_001
        return self.now_ms

    def ticks_diff(self, end, start):
        return end - start


def battery_knows_which_converter_wifi_leaves_alone():
    from drivers.battery import is_adc1

    for pin, machine, right in (
        (32, "Generic ESP32 module with ESP32", True),
        (39, "Generic ESP32 module with ESP32", True),
        (25, "Generic ESP32 module with ESP32", False),
        (1, "Generic ESP32S3 module with ESP32S3", True),
        (32, "Generic ESP32S3 module with ESP32S3", False),
        (4, "ESP32C3 module with ESP32C3", True),
        (5, "ESP32C3 module with ESP32C3", False),
    ):
        assert is_adc1(pin, machine) is right, (pin, machine)


def errors_name_chip_address_and_cause():
    assert str(SensorError("sht4x", 0x44, "why")) == "sht4x@0x44: why"
    assert str(SensorError("dht22", "pin4", "why")) == "dht22@pin4: why"
