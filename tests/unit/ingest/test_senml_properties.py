"""Laws of decoding and encoding, for any input."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.errors import PackError
from ingest.quantities import QUANTITIES
from ingest.readings import Reading
from ingest.senml import decode_pack, encode_pack, salvage_position

NODE = "3c71bf4a2b10"
NOW_MS = 1_763_800_000_000

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
labels = st.sampled_from(
    [
        "bn",
        "bt",
        "bu",
        "bv",
        "bver",
        "blog",
        "bseq",
        "bfirst",
        "btu_",
        "n",
        "u",
        "v",
        "vb",
        "vs",
        "vd",
        "t",
        "s",
        "ut",
        "x_",
    ]
)
likely = st.sampled_from(
    [
        "urn:dev:mac:3c71bffffe4a2b10_",
        26,
        1763800000,
        1763800000.5,
        "5f3a9c01",
        41,
        "temperature",
        "co2",
        "Cel",
        "ppm",
        19.4,
        True,
        "19.4",
        1e308,
        -1e308,
        10**390,
        "temperature.",
        "\ud800",
    ]
)
records = st.dictionaries(labels, likely | json_values, max_size=10)


def settle(payload: bytes) -> None:
    """Decoding ends in a pack or in the project's own error."""
    try:
        pack = decode_pack(payload, NODE, NOW_MS)
    except PackError as error:
        if not (error.reason and str(error)):
            pytest.fail("an error that tells nothing")
    else:
        assert pack.node == NODE
        assert pack.readings or pack.rejected or payload.startswith(b"[")
        for record in pack.rejected:
            assert isinstance(json.loads(record.content), list)
    salvage_position(payload)


@given(st.binary(max_size=400))
@example(b"[" * 16000)
@example(b'{"a":' * 3000)
@example(b"[null]")
def test_arbitrary_bytes_never_raise_anything_else(payload: bytes):
    settle(payload)


@given(json_values)
def test_arbitrary_json_never_raises_anything_else(value: object):
    settle(json.dumps(value).encode())


@given(st.lists(records, max_size=5))
def test_almost_packs_never_raise_anything_else(pack: list[dict]):
    settle(json.dumps(pack).encode())


quantities = st.sampled_from(sorted(QUANTITIES))
channels = st.from_regex(r"\A[a-z0-9-]{1,16}\Z")


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    quantity = QUANTITIES[draw(quantities)]
    scale = 10**quantity.decimals
    number = draw(st.integers(-(2**31), 2**31 - 1)) / scale
    value = float(draw(st.booleans())) if quantity.kind == "boolean" else number
    at_ms = NOW_MS + draw(st.integers(-86_400_000, 300_000))
    return Reading(quantity.name, draw(st.just("main") | channels), at_ms, value)


@given(
    st.lists(readings(), min_size=1, max_size=8),
    st.tuples(st.from_regex(r"\A[0-9a-f]{8}\Z"), st.integers(1, 2**31)),
)
def test_what_is_encoded_is_decoded_to_the_same(pack: list[Reading], place: tuple[str, int]):
    log, seq = place
    payload = encode_pack(NODE, pack, log=log, seq=seq, first=1)
    decoded = decode_pack(payload, NODE, NOW_MS)
    assert decoded.readings == pack
    assert decoded.rejected == []
    assert decoded.position == (log, seq, 1)
    assert salvage_position(payload) == (log, seq, 1)
