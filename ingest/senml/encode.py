"""Packs to SenML JSON, byte for byte as a node of ours writes them."""

from collections.abc import Sequence

from ingest.quantities import QUANTITIES
from ingest.readings import MAIN_CHANNEL, Reading
from ingest.senml.version import VERSION
from ingest.topics import base_name_of


def encode_pack(
    node: str,
    readings: Sequence[Reading],
    *,
    log: str | None = None,
    seq: int | None = None,
    first: int | None = None,
) -> bytes:
    """The payload of a pack as a node writes it: the same bytes for the same readings.

    `bt` is the time of the first reading in whole seconds. Values are rounded to the decimals of
    their quantity. Raises `ValueError` for an unknown quantity or no reading.
    """
    if not readings:
        raise ValueError("a pack holds at least one reading")
    base_s = readings[0].measured_at_ms // 1000
    head = f'"bn":"{base_name_of(node)}","bver":{VERSION},"bt":{base_s},'
    if log is not None:
        head += f'"blog":"{log}","bseq":{seq},"bfirst":{first},'
    records = [_encode_record(reading, base_s) for reading in readings]
    return ("[{" + head + "},{".join(records) + "}]").encode()


def _encode_record(reading: Reading, base_s: int) -> str:
    quantity = QUANTITIES.get(reading.quantity)
    if quantity is None:
        raise ValueError(f"unknown quantity {reading.quantity!r}")
    name = reading.quantity
    if reading.channel != MAIN_CHANNEL:
        name += "." + reading.channel
    if quantity.kind == "boolean":
        text = f'"n":"{name}","vb":{"true" if reading.value else "false"}'
    else:
        text = (
            f'"n":"{name}","u":"{quantity.unit}","v":{_decimal(reading.value, quantity.decimals)}'
        )
    offset_ms = reading.measured_at_ms - base_s * 1000
    return text + (f',"t":{_decimal(offset_ms / 1000, 3)}' if offset_ms else "")


def _decimal(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    if decimals:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
