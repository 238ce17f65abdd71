"""What a node encodes is, byte for byte, what the contract's samples say and the gateway reads."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from ingest.quantities import QUANTITIES
from ingest.senml.decode import decode_pack
from simulators.board.program import SOURCES, Program
from tests.unit.firmware.micropython import CHECKS, run_micropython

SAMPLES = sorted((Path(__file__).parents[2] / "contract" / "node").glob("*.json"))
NAMES = [path.stem for path in SAMPLES]


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_micropython_encodes_the_sample_byte_for_byte(
    program: Program, tmp_path: Path, sample: Path
) -> None:
    encoded = run_micropython(program, tmp_path, CHECKS / "encode_sample.py", sample)
    assert encoded.encode() == sample.with_suffix(".senml").read_bytes()


@pytest.mark.parametrize(
    "sample", [path for path in SAMPLES if path.stem != "time-unknown"], ids=lambda path: path.stem
)
def test_the_gateway_reads_from_a_sample_what_the_node_measured(sample: Path) -> None:
    expected = json.loads(sample.read_text())
    received_at_ms = expected["time"] * 1000
    pack = decode_pack(sample.with_suffix(".senml").read_bytes(), expected["node"], received_at_ms)
    assert not pack.rejected
    offsets_ms = expected.get("offsets_ms", [0] * len(expected["readings"]))
    assert [
        (reading.quantity, reading.channel, Decimal(str(reading.value)), reading.measured_at_ms)
        for reading in pack.readings
    ] == [
        (
            quantity,
            channel or "main",
            Decimal({"true": "1", "false": "0"}.get(text, text)),
            received_at_ms + offset_ms,
        )
        for (quantity, channel, text), offset_ms in zip(
            expected["readings"], offsets_ms, strict=True
        )
    ]


def test_what_only_a_newer_node_knows_is_kept_by_the_gateway_and_the_rest_stored(
    program: Program, tmp_path: Path
) -> None:
    """As after an update that went back, before the gateway knows the quantity either."""
    check = "a_quantity_of_a_newer_version_goes_out_by_its_number_and_stops_no_other"
    sent = run_micropython(program, tmp_path, CHECKS / "run.py", "check_pack", check)
    pack = decode_pack(sent.encode(), "3c71bf4a2b10", 1_780_000_000_000)
    assert [(reading.quantity, reading.value) for reading in pack.readings] == [
        ("temperature", 19.43)
    ]
    assert [record.reason for record in pack.rejected] == ["unknown_quantity"] * 2
    assert [json.loads(record.content)[0]["v"] for record in pack.rejected] == [-17, 5]


def test_node_and_gateway_share_one_catalogue() -> None:
    scope: dict[str, str] = {}
    source = (SOURCES / "senml.py").read_text()
    table = source[source.index("QUANTITIES = (") : source.index("\n)\n") + 2]
    exec(table, scope)  # noqa: S102 - a literal of our own
    assert scope["QUANTITIES"].strip("|").split("|") == [
        q.name if q.unit is None else f"{q.name} {q.unit} {q.decimals}" for q in QUANTITIES.values()
    ]
