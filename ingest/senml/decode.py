"""SenML JSON (RFC 8428) of contract v1: payloads to packs.

Pure: the time of reception is an argument, nothing is stored, nobody is asked. Whatever the bytes
are, decoding ends in a `Pack` or in a `PackError`; records that can't be used are set apart in
the pack with their reason, and the others are kept.
"""

import json
import math
import re
from typing import Any, Final

import msgspec

from ingest.errors import PackError
from ingest.quantities import QUANTITIES, Quantity
from ingest.readings import (
    MAIN_CHANNEL,
    LogPosition,
    Pack,
    Reading,
    RejectedRecord,
    TimeSource,
    is_channel,
)
from ingest.senml.version import VERSION
from ingest.topics import base_name_of

MAX_PAYLOAD_BYTES: Final = 16 * 1024
MAX_REJECTED: Final = 64
MAX_REJECTED_BYTES: Final = 64 * 1024
RELATIVE_BELOW_S: Final = 1 << 28
"""RFC 8428 section 4.5.3: a smaller time is relative to now."""

EARLIEST_MS: Final = 1_577_836_800_000
"""1 January 2020: no node of ours measured anything before."""

AHEAD_MS: Final = 5 * 60_000
"""How far a node's clock may be ahead of ours."""

_LOG: Final = re.compile(r"[0-9a-f]{8}")
_MAX_SEQ: Final = 2**53 - 1


class _Record(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One SenML record with the labels that we act upon (RFC 8428 section 4) and our own three."""

    bn: str | None = None
    bt: int | float | None = None
    bu: str | None = None
    bv: int | float | None = None
    bver: int | None = None
    blog: str | None = None
    bseq: int | None = None
    bfirst: int | None = None
    btu_: bool = False
    n: str | None = None
    u: str | None = None
    t: int | float = 0
    v: int | float | None = None
    vb: bool | None = None
    vs: str | None = None
    vd: str | None = None
    s: int | float | None = None


# A lone surrogate is JSON, but no text that msgspec takes.
_UNUSABLE: Final = (msgspec.ValidationError, UnicodeEncodeError)
_LOG_LABELS: Final = ("blog", "bseq", "bfirst")
_LABELS: Final = frozenset(_Record.__struct_fields__)
_VALUE_LABELS: Final = ("v", "vb", "vs", "vd", "s")
_BASE_LABELS: Final = frozenset(label for label in _LABELS if label.startswith("b"))
_decoder: Final = msgspec.json.Decoder(list[_Record])


def decode_pack(payload: bytes, node: str, received_at_ms: int) -> Pack:
    """Decode what `node` published on its readings topic.

    Raises `PackError` where the whole payload is no pack of that node.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PackError(
            "too_large", f"{len(payload)} bytes, the limit is {MAX_PAYLOAD_BYTES} bytes"
        )
    rejected: list[RejectedRecord] = []
    try:
        records = _decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        # Something in it is off. The slow way finds out what, and saves the records that are not.
        records = _decode_slowly(payload, base_name_of(node), rejected)
    if not records and not rejected:
        raise PackError("empty", "an array without a record")
    return _assemble(records, rejected, node, received_at_ms)


def _decode_slowly(payload: bytes, base_name: str, rejected: list[RejectedRecord]) -> list[_Record]:
    records: list[_Record] = []
    base: dict[str, Any] = {}
    for item in _parse_array(payload):
        if not isinstance(item, dict):
            _reject(rejected, "not_a_record", f"no JSON object: {_show(item)}", item)
            continue
        _refuse_must_understand(item)
        known = {label: value for label, value in item.items() if label in _LABELS}
        base.update((label, known[label]) for label in known.keys() & _BASE_LABELS)
        try:
            records.append(msgspec.convert(known, _Record))
        except _UNUSABLE as error:
            # Its base fields hold for the records after it all the same.
            records.append(_base_alone(known))
            alone = {"bn": base_name, **base, **item}
            for label in _LOG_LABELS:
                alone.pop(label, None)
            _reject(rejected, "wrong_type", f"a field can't be used: {error}", alone)
    return records


def _reject(rejected: list[RejectedRecord], reason: str, detail: str, record: object) -> None:
    """Set a record apart, as a pack of its own. Raises `PackError` where there are too many:

    each repeats the base fields, so that a small pack would become megabytes of dead letters.
    """
    rejected.append(RejectedRecord(reason, detail, json.dumps([record]).encode()))
    size = sum(len(one.content) for one in rejected)
    if len(rejected) > MAX_REJECTED or size > MAX_REJECTED_BYTES:
        raise PackError("too_many_rejected", f"{len(rejected)} records can't be used: {detail}")


def _parse_array(payload: bytes) -> list[Any]:
    try:
        parsed = json.loads(payload.decode(), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise PackError("invalid_utf8", f"no UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise PackError("too_deep", "nested too deeply to be read") from error
    except ValueError as error:
        raise PackError("not_json", f"no JSON: {error}") from error
    if not isinstance(parsed, list):
        raise PackError("not_an_array", f"no JSON array: {_show(parsed)}")
    return parsed


def _refuse_must_understand(item: dict[str, Any]) -> None:
    for label in item:
        if label.endswith("_") and label not in _LABELS:
            raise PackError("must_understand", f"unknown field {_show(label)} must be understood")


def _base_alone(known: dict[str, Any]) -> _Record:
    """The base fields of a record; where these are wrong themselves the whole pack is in doubt."""
    base = {label: value for label, value in known.items() if label in _BASE_LABELS}
    try:
        return msgspec.convert(base, _Record)
    except _UNUSABLE as error:
        raise PackError("bad_base", f"a base field can't be used: {error}") from error


def _integer(digits: str) -> int | float:
    """Python refuses integers of over 4,300 digits; as a float such a number is infinite."""
    return int(digits) if len(digits) < 400 else float(digits)


def _assemble(
    records: list[_Record], rejected: list[RejectedRecord], node: str, received_at_ms: int
) -> Pack:
    position = _position(records[0]) if records else None
    base_name = base_name_of(node)
    context = _Context(base_name, received_at_ms, ours=position is not None)
    readings: list[Reading] = []
    for record in records:
        context.take_base(record)
        try:
            reading = context.reading(record)
        except _RecordError as error:
            _reject(rejected, error.reason, error.detail, context.alone(record))
        else:
            if reading is not None:
                readings.append(reading)
    return Pack(node, position, readings, rejected)


def _position(record: _Record) -> LogPosition | None:
    log, seq, first = record.blog, record.bseq, record.bfirst
    if log is None and seq is None:
        return None
    if log is None or _LOG.fullmatch(log) is None:
        raise PackError("bad_log", f"blog is {_show(log)}: must be 8 lowercase hex digits")
    if seq is None or not 1 <= seq <= _MAX_SEQ:
        raise PackError("bad_log", f"bseq is {_show(seq)}: must be a whole number from 1")
    if first is not None and not 1 <= first <= seq:
        raise PackError("bad_log", f"bfirst is {_show(first)}: must lie from 1 to bseq ({seq})")
    return LogPosition(log, seq, first)


class _RecordError(Exception):
    """One record can't be used. Never leaves this module."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class _Context:
    """The base values in force while the records of one pack are read in order."""

    __slots__ = ("base_name", "bn", "bt", "bu", "bv", "known", "ours", "received_at_ms")

    def __init__(self, base_name: str, received_at_ms: int, *, ours: bool) -> None:
        self.base_name = base_name
        self.received_at_ms = received_at_ms
        self.ours = ours
        self.bn: str | None = None
        self.bt: int | float = 0
        self.bu: str | None = None
        self.bv: int | float = 0
        self.known: tuple[float, int, int] | None = None
        """(t, measured_at_ms, time source) of the last record: most of a pack share one time."""

    def take_base(self, record: _Record) -> None:
        """Base fields hold from their record on (RFC 8428 section 4.1)."""
        if record.bn is not None:
            self.bn = record.bn
        if self.bn != self.base_name:
            self._check_name(record)
        if record.bt is not None:
            if self.ours and not isinstance(record.bt, int):
                # An ESP32's floats have 24 bits: such a time is wrong by up to a minute.
                raise PackError("not_integer", f"bt is {record.bt!r}: must be a JSON integer")
            self.bt = record.bt
            self.known = None
        if record.bu is not None:
            self.bu = record.bu
        if record.bv is not None:
            self.bv = record.bv
        if record.bver is not None and record.bver > VERSION:
            raise PackError("version", f"bver is {record.bver}: {VERSION} is the latest understood")
        if record.btu_:
            raise PackError("time_unknown", "measured before the node ever knew the time")

    def _check_name(self, record: _Record) -> None:
        if self.bn is None:
            raise PackError("no_base_name", f"bn is missing: must be {self.base_name!r}")
        full = self.bn + (record.n or "")
        if not full.startswith(self.base_name):
            raise PackError("wrong_node", f"bn is {_show(self.bn)}: must be {self.base_name!r}")

    def reading(self, record: _Record) -> Reading | None:
        """The reading of a record, `None` for a record of base fields alone."""
        name = record.n
        if self.bn != self.base_name:
            name = ((self.bn or "") + (name or ""))[len(self.base_name) :]
        if not name:
            if all(getattr(record, label) is None for label in _VALUE_LABELS):
                return None
            raise _RecordError("unknown_quantity", "n is missing: must name a quantity")
        key, _, channel = name.partition(".")
        quantity = QUANTITIES.get(key)
        if quantity is None:
            raise _RecordError("unknown_quantity", f"n is {_show(name)}: no quantity we know")
        if channel == "":
            channel = MAIN_CHANNEL
            if name != key:
                raise _RecordError("bad_channel", f"n is {_show(name)}: the channel is empty")
        elif not is_channel(channel):
            raise _RecordError(
                "bad_channel", f"channel {_show(channel)}: must be 1 to 16 of a-z, 0-9 and -"
            )
        value = self._value(record, quantity)
        known = self.known
        if known is None or known[0] != record.t:
            known = self.known = (record.t, *self._time(record))
        return Reading(quantity.name, channel, known[1], value, known[2])

    def _value(self, record: _Record, quantity: Quantity) -> float:
        if quantity.kind == "boolean":
            if record.vb is None:
                raise _no_value(record, "vb, true or false")
            return 1.0 if record.vb else 0.0
        value = record.v
        if value is None:
            raise _no_value(record, "v, a number")
        unit = record.u if record.u is not None else self.bu
        if unit != quantity.unit:
            raise _RecordError("wrong_unit", f"u is {_show(unit)}: must be {quantity.unit!r}")
        try:
            number = float(value + self.bv)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise _RecordError("not_finite", f"v is {_show(value)}: must be a finite number")
        return number

    def _time(self, record: _Record) -> tuple[int, int]:
        """(measured_at_ms, time source)."""
        try:
            # Whole seconds apart, so that no offset costs the base its milliseconds.
            at_ms = int(self.bt) * 1000 + round((self.bt - int(self.bt) + record.t) * 1000)
        except (OverflowError, ValueError) as error:
            raise _RecordError("bad_time", f"t is {_show(record.t)}: no time") from error
        source = TimeSource.NODE
        if at_ms < RELATIVE_BELOW_S * 1000 and not self.ours:
            at_ms += self.received_at_ms
            source = TimeSource.RECEPTION
        if at_ms < EARLIEST_MS:
            raise _RecordError("time_before_2020", f"time is {_show(at_ms // 1000)} s: before 2020")
        if at_ms > self.received_at_ms + AHEAD_MS:
            ahead_s = _show((at_ms - self.received_at_ms) // 1000)
            raise _RecordError("time_ahead", f"time is {ahead_s} s ahead: 300 s are allowed")
        return at_ms, source

    def alone(self, record: _Record) -> dict[str, Any]:
        """A record with the base values in force, so that it can be read again by itself."""
        fields = {k: v for k, v in msgspec.structs.asdict(record).items() if v is not None}
        fields.pop("btu_")
        own = {"bn": self.bn, "bver": VERSION, "bt": self.bt}
        if self.bu is not None:
            own["bu"] = self.bu
        if self.bv:
            own["bv"] = self.bv
        return own | {k: v for k, v in fields.items() if k not in _LOG_LABELS}


def _no_value(record: _Record, wanted: str) -> _RecordError:
    given = next((k for k in _VALUE_LABELS if getattr(record, k) is not None), None)
    if given is None:
        return _RecordError("no_value", f"no value: must have {wanted}")
    return _RecordError(
        "wrong_type", f"{given} is {_show(getattr(record, given))}: must be {wanted}"
    )


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
