"""SenML JSON (RFC 8428) from the binary pack, byte for byte the same whenever it is encoded.

It knows the catalogue of quantities and formats decimals from integers: the chip's floats are
32-bit and would print 19.42 as 19.42001. It must not know files, clock or broker.
"""

import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Name, unit (none for a boolean) and decimals. The place of an entry is its number in the
# outbox: append only, never reorder. One text, because sixteen take four times the heap.
QUANTITIES = (
    "|temperature Cel 2|"
    "humidity %RH 1|"
    "co2 ppm 0|"
    "pressure hPa 2|"
    "illuminance lx 0|"
    "pm2_5 ug/m3 1|"
    "motion|"
    "opening|"
    "pipe_temperature Cel 2|"
    "energy Wh 0|"
    "battery V 3|"
    "rssi dBm 0|"
    "uptime s 0|"
    "heap_free B 0|"
    "heap_largest B 0|"
    "outbox count 0|"
)


def number(name: str) -> int:
    """The number by which the outbox knows a quantity; KeyError for one that it does not."""
    for end in " |":
        at = QUANTITIES.find("|" + name + end)
        if at >= 0:
            return QUANTITIES.count("|", 0, at)
    raise KeyError(name)


def entry(quantity: int) -> list[str]:
    """[name, unit, decimals as text] of a quantity's number, [name] of a boolean. One of a newer
    version goes out by its number, for the gateway's dead letters: it must stop no other.
    """
    if quantity >= QUANTITIES.count("|") - 1:
        return ["quantity_{}".format(quantity), "1", "0"]
    at = 0
    for _ in range(quantity):
        at = QUANTITIES.index("|", at + 1)
    return QUANTITIES[at + 1 : QUANTITIES.index("|", at + 1)].split(" ")


def decimal(value: int, decimals: int) -> str:
    """`value` / 10**decimals as the shortest JSON number: (-5, 2) is -0.05."""
    sign = "-" if value < 0 else ""
    digits = str(abs(value))
    if not decimals:
        return sign + digits
    if len(digits) <= decimals:
        digits = "0" * (decimals + 1 - len(digits)) + digits
    fraction = digits[-decimals:].rstrip("0")
    whole = digits[:-decimals]
    return sign + whole + ("." + fraction if fraction else "")


def encode(
    out: bytearray,
    payload: bytes,
    node: str,
    log: int,
    seq: int,
    first: int,
    anchor: Callable[[int, int], tuple[int, int] | None] | None = None,
) -> int:
    """Writes the pack of `payload` into the buffer `out`; the size it has, or would have where
    `out` is too small for it.

    `anchor(epoch, rtc_s)` gives Unix seconds and milliseconds of that RTC second, or None where
    that power-on never knew the time: then `bt` counts from an unknown start, which `btu_` says,
    and which a reader must understand or refuse (RFC 8428 §4.4).
    """
    seconds, ms, epoch, start = pack.decode_head(payload)
    unknown = ""
    if epoch is not None:
        time_of = anchor(epoch, seconds) if anchor else None
        if time_of is None:
            unknown = ',"btu_":true'
        else:
            seconds = time_of[0]
            ms += time_of[1]
    # RFC 9039: the node's EUI-48 as EUI-64, `fffe` in its middle.
    at = _put(out, 0, '[{{"bn":"urn:dev:mac:{}fffe{}_","bver":26'.format(node[:6], node[6:]))
    at = _put(out, at, ',"bt":{},"blog":"{:08x}","bseq":{}'.format(seconds, log, seq))
    at = _put(out, at, ',"bfirst":{}{}'.format(first, unknown))
    before = ","
    for quantity, value, channel, offset_ms in pack.decode_readings(payload, start):
        at = _put(out, at, before)
        at = _put(out, at, _record(quantity, value, channel, offset_ms + ms))
        before = "},{"
    return _put(out, at, "}]")


def _put(out: bytearray, at: int, text: str) -> int:
    end = at + len(text)
    if end <= len(out):
        out[at:end] = text.encode()
    return end


def _record(quantity: int, value: int, channel: str | None, offset_ms: int) -> str:
    name, *unit = entry(quantity)
    if channel:
        name += "." + channel
    if unit:
        text = '"n":"{}","u":"{}","v":{}'.format(name, unit[0], decimal(value, int(unit[1])))
    else:
        text = '"n":"{}","vb":{}'.format(name, "true" if value else "false")
    return text + (',"t":' + decimal(offset_ms, 3) if offset_ms else "")
