"""Receipts of contract v1: what a node may now forget. Bytes only, nobody is asked."""

from collections.abc import Iterable

import msgspec


def ranges_of(numbers: Iterable[int]) -> list[list[int]]:
    """Whole numbers as sorted inclusive ranges: [3, 1, 2, 7] is [[1, 3], [7, 7]]."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def encode_receipt(
    now_ms: int, hello: str | None, log: str | None, numbers: Iterable[int] = ()
) -> bytes:
    """A receipt for `numbers` of `log`; without numbers it only answers a presence.

    `now` is rounded down to whole seconds: an ESP32's floats can't hold more.
    """
    receipt: dict[str, object] = {"now": now_ms // 1000}
    if hello is not None:
        receipt = {"hello": hello} | receipt
    if log is not None:
        receipt["log"] = log
    receipt["stored"] = ranges_of(numbers)
    return msgspec.json.encode(receipt)
