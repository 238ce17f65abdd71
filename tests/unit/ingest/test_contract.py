"""The sample packs under tests/contract: each ends as its file says."""

import json
from pathlib import Path

import pytest

from ingest.errors import PackError
from ingest.latest import LatestReadings
from ingest.pipeline import Incoming, Pipeline
from ingest.senml import decode_pack, salvage_position
from ingest.store.reader import StoreReader
from ingest.store.writer import PackToStore, StoreWriter

PACKS = Path(__file__).parents[2] / "contract" / "packs"
CASES = sorted(path.stem for path in PACKS.glob("*.senml"))


def load(name: str) -> tuple[bytes, dict]:
    expected = json.loads((PACKS / f"{name}.expected.json").read_text(encoding="utf-8"))
    return (PACKS / f"{name}.senml").read_bytes(), expected


def test_there_are_good_bad_and_mixed_samples():
    assert {name.split("-")[0] for name in CASES} == {"good", "bad", "mixed"}
    assert len(CASES) >= 30


@pytest.mark.parametrize("name", CASES)
def test_decoding_a_sample(name: str):
    payload, expected = load(name)
    if expected["reason"]:
        with pytest.raises(PackError) as caught:
            decode_pack(payload, expected["node"], expected["received_at_ms"])
        assert caught.value.reason == expected["reason"]
        position = salvage_position(payload)
    else:
        pack = decode_pack(payload, expected["node"], expected["received_at_ms"])
        assert [list(reading[:4]) for reading in pack.readings] == expected["stored"]
        assert [record.reason for record in pack.rejected] == expected["rejected"]
        position = pack.position
    assert (list(position[:2]) if position else None) == expected["received"]


@pytest.mark.parametrize("name", CASES)
def test_storing_a_sample(name: str, tmp_path: Path):
    """What can't be used is a dead letter with a reason and a sentence; the rest is stored."""
    payload, expected = load(name)
    topic = f"preau/v1/{expected['node']}/readings"
    with StoreWriter(tmp_path) as store:
        outcome = Pipeline(store).take([Incoming(topic, payload, expected["received_at_ms"])])
        store.fold()
    reasons = [expected["reason"]] if expected["reason"] else expected["rejected"]
    assert sorted(outcome.dead_letters.elements()) == sorted(reasons)
    received = expected["received"]
    key = {(expected["node"], received[0]): [received[1]]} if received else {}
    assert outcome.received == key
    with StoreReader(tmp_path) as reader:
        stored = {
            (s.quantity, s.channel, p.measured_at_ms, p.value)
            for s in reader.series()
            for p in reader.points(s, 0, 2**60)
        }
        assert stored == {tuple(reading) for reading in expected["stored"]}
        letters = reader.dead_letters()
    assert [letter.reason for letter in letters] == reasons
    for letter in letters:
        assert letter.detail
        assert "Traceback" not in letter.detail
        assert letter.node == expected["node"]
        whole = payload if expected["reason"] else letter.payload
        assert letter.payload == whole[: 16 * 1024]


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("mixed")])
def test_a_rejected_record_stands_alone_and_can_be_read_again(name: str):
    """Its dead letter is a pack by itself: the same reason comes out, and nothing else."""
    payload, expected = load(name)
    pack = decode_pack(payload, expected["node"], expected["received_at_ms"])
    for record in pack.rejected:
        if record.reason == "not_a_record":
            continue
        again = decode_pack(record.content, expected["node"], expected["received_at_ms"])
        assert [r.reason for r in again.rejected] == [record.reason]
        assert again.readings == []


def test_a_pack_of_unusable_records_is_one_dead_letter_not_thousands():
    """Each rejected record repeats the base fields: 16 KiB would become megabytes."""
    node = "3c71bf4a2b10"
    for rest in (b'{"n":"x"}', b"1"):
        base = b'{"bn":"urn:dev:mac:3c71bffffe4a2b10_","bu":"' + b"y" * 8000 + b'"}'
        payload = b"[" + base + b"," + b",".join([rest] * 700) + b"]"
        with pytest.raises(PackError) as caught:
            decode_pack(payload, node, 1763800005000)
        assert caught.value.reason == "too_many_rejected"


@pytest.mark.parametrize("digits", [200, 309, 390, 399, 400, 5000])
def test_an_endless_time_is_refused_alone(digits: int):
    payload = (
        b'[{"bn":"urn:dev:mac:3c71bffffe4a2b10_","bt":1763800000,"n":"co2","u":"ppm","v":840},'
        b'{"n":"humidity","u":"%RH","v":45,"t":1' + b"0" * digits + b"}]"
    )
    pack = decode_pack(payload, "3c71bf4a2b10", 1763800005000)
    assert [reading.quantity for reading in pack.readings] == ["co2"]
    assert len(pack.rejected) == 1


def test_a_nameless_record_with_a_value_is_not_dropped():
    payload = b'[{"bn":"urn:dev:mac:3c71bffffe4a2b10_","bt":1763800000,"vd":"AA"}]'
    pack = decode_pack(payload, "3c71bf4a2b10", 1763800005000)
    assert [record.reason for record in pack.rejected] == ["unknown_quantity"]


def test_a_retained_pack_without_time_of_its_own_is_set_aside(tmp_path: Path):
    payload = b'[{"bn":"urn:dev:mac:3c71bffffe4a2b10_","n":"co2","u":"ppm","v":700,"t":-5}]'
    message = Incoming("preau/v1/3c71bf4a2b10/readings", payload, 1763800005000, retained=True)
    with StoreWriter(tmp_path) as store:
        outcome = Pipeline(store).take([message])
    assert dict(outcome.dead_letters) == {"retained_without_time": 1}
    assert outcome.readings == 0


def test_latest_does_not_stand_on_a_reading_from_the_future():
    """A clock that was ahead for a minute must not hide what is measured for a month."""
    month_ms = 30 * 86_400_000
    now_ms = 1_763_800_000_000

    def stored(at_ms: int, value: float, received_at_ms: int) -> PackToStore:
        reading = ("temperature", "main", at_ms, value, 0, 0)
        return PackToStore("3c71bf4a2b10", None, received_at_ms, [reading])

    latest = LatestReadings()
    latest.update([stored(now_ms + month_ms, 19.0, now_ms + month_ms)])
    latest.update([stored(now_ms, 25.0, now_ms + 900)])
    assert latest.of_node("3c71bf4a2b10")["temperature", "main"].value == 25.0
