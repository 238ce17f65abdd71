"""A town's past joins its present without a gap or an overlap."""

from collections import defaultdict
from itertools import pairwise

import pytest

from gateway.mqtt.address import BrokerAddress
from ingest.readings import Reading
from ingest.senml import decode_pack
from ingest.topics import parse_topic
from simulators.history import history_packs, log_of, next_seq_after
from simulators.node import VirtualNode, next_measurement_ms
from simulators.town import demo_town

HOUR_MS = 3_600_000
END_MS = 1_795_388_400_000
START_MS = END_MS - 6 * HOUR_MS
SEED = 4


@pytest.fixture(scope="module")
def town():
    return demo_town(SEED)


@pytest.fixture(scope="module")
def packs(town):
    by_node = defaultdict(list)
    for topic, payload, received_at_ms in history_packs(town, START_MS, END_MS, 300, SEED):
        node, kind = parse_topic(topic)
        assert kind == "readings"
        by_node[node].append((decode_pack(payload, node, received_at_ms), received_at_ms))
    return by_node


def test_every_node_has_all_its_packs_numbered_from_one(town, packs):
    assert packs.keys() == {room.node for room in town.rooms}
    for node, entries in packs.items():
        assert [pack.position.seq for pack, _ in entries] == list(range(1, 73))
        assert {pack.position.log for pack, _ in entries} == {log_of(node, SEED, START_MS)}
        assert not any(pack.rejected for pack, _ in entries)


def test_measuring_follows_the_step_and_ends_before_the_end(packs):
    for entries in packs.values():
        times = [pack.readings[0].measured_at_ms for pack, _ in entries]
        assert {b - a for a, b in pairwise(times)} == {300_000}
        assert START_MS <= times[0] < START_MS + 300_000
        assert END_MS - 300_000 <= times[-1] < END_MS
        assert all(
            received > measured for measured, (_, received) in zip(times, entries, strict=True)
        )


def test_packs_come_in_the_order_in_which_they_were_measured(town):
    times = [
        decode_pack(payload, parse_topic(topic).node, received).readings[0].measured_at_ms
        for topic, payload, received in history_packs(town, START_MS, END_MS, 300, SEED)
    ]
    assert times == sorted(times)


async def test_a_live_node_goes_on_where_its_history_ends(town, packs):
    for room in town.rooms:
        node = VirtualNode(
            room.node,
            room.model,
            BrokerAddress(),
            log=log_of(room.node, SEED, START_MS),
            next_seq=next_seq_after(room.node, START_MS, END_MS, 300),
        )
        last, _ = packs[room.node][-1]
        assert (node.log, node.next_seq) == (last.position.log, last.position.seq + 1)
        due_ms = next_measurement_ms(room.node, 300, END_MS - 1)
        assert due_ms == last.readings[0].measured_at_ms + 300_000


async def test_a_live_node_measures_what_history_says_of_that_instant(town, packs):
    room = town.rooms[3]
    pack, _ = packs[room.node][10]
    node = VirtualNode(room.node, room.model, BrokerAddress(), keep_readings=True)
    node.measure(pack.readings[0].measured_at_ms)
    assert {Reading(*reading) for reading in node.readings} == set(pack.readings)


def test_the_same_seed_gives_the_same_bytes(town):
    window = (END_MS - HOUR_MS, END_MS, 300, SEED)
    assert list(history_packs(town, *window)) == list(history_packs(demo_town(SEED), *window))


def test_no_time_gives_no_packs_and_the_log_begins_at_one(town):
    assert list(history_packs(town, END_MS, END_MS)) == []
    assert next_seq_after(town.rooms[0].node, END_MS, END_MS, 300) == 1
