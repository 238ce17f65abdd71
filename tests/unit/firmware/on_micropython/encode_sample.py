"""Encodes a sample of the contract as a node does: `encode_sample.py FILE`."""

import json
import sys

import pack
import senml


def scaled(text, decimals):
    """The text of a decimal number or a boolean as an integer in the smallest step."""
    if text in ("true", "false"):
        return int(text == "true")
    whole, _, fraction = text.partition(".")
    fraction += "0" * (decimals - len(fraction))
    return int(whole + fraction)


def main(path):
    with open(path) as file:
        sample = json.load(file)
    if sample["time"] is None:
        payload = pack.encode_head(sample["rtc_s"], 0, 7)
    else:
        payload = pack.encode_head(sample["time"])
    offsets_ms = sample.get("offsets_ms", [0] * len(sample["readings"]))
    for (quantity, channel, text), offset_ms in zip(sample["readings"], offsets_ms):
        number = senml.number(quantity)
        entry = senml.entry(number)
        value = scaled(text, int(entry[2]) if len(entry) > 1 else 0)
        payload += pack.encode_reading(number, value, channel, offset_ms)
    log = int(sample["log"], 16)
    arguments = payload, sample["node"], log, sample["seq"], sample["first"]
    out = bytearray(senml.encode(b"", *arguments))
    assert senml.encode(out, *arguments) == len(out)
    sys.stdout.write(out.decode())


main(sys.argv[1])
