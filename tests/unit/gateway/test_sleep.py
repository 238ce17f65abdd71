"""How long a node that sleeps is waited for."""

import pytest

from gateway.nodes import NodeRegistry, decode_presence
from gateway.sleep import Sleep, allowed_s

NODE = "3c71bf4a2b10"
HOUR_S = 3600.0


def test_a_node_asleep_is_waited_for_until_its_wake_and_a_clock_that_is_off() -> None:
    sleep = Sleep(1000, 1000 + HOUR_S)
    assert sleep.left_s(1000) == pytest.approx(1.1 * HOUR_S + 60)
    assert sleep.left_s(1000 + HOUR_S) == pytest.approx(0.1 * HOUR_S + 60)
    assert not sleep.is_overdue(1000 + HOUR_S)


def test_one_that_is_overdue_may_have_found_no_network_once() -> None:
    sleep = Sleep(1000, 1000 + HOUR_S)
    assert sleep.left_s(1000 + 1.5 * HOUR_S) == pytest.approx(3 * sleep.cycle_s - 1.5 * HOUR_S)
    assert not sleep.is_overdue(1000 + 3 * HOUR_S)
    assert sleep.is_overdue(1000 + 4 * HOUR_S)


def test_what_takes_seconds_awake_takes_cycles_asleep() -> None:
    assert allowed_s(30, 2, None) == 30
    assert allowed_s(30, 2, Sleep(0, HOUR_S)) == pytest.approx(30 + 2 * (1.1 * HOUR_S + 60))


def take(nodes: NodeRegistry, payload: bytes, at_ms: int, *, retained: bool = False) -> None:
    nodes.take(decode_presence(payload, NODE, at_ms), retained=retained)


def test_how_long_a_node_sleeps_is_known_while_it_is_awake() -> None:
    nodes = NodeRegistry()
    assert nodes.sleep_of(NODE) is None
    asleep = b'{"online": false, "asleep": true, "next_wake": 1763803600}'
    take(nodes, asleep, 1_763_800_000_000)
    assert nodes.sleep_of(NODE) == Sleep(1_763_800_000, 1_763_803_600)
    # The broker tells it again to a gateway that comes back: that begins no other sleep.
    take(nodes, asleep, 1_763_803_000_000, retained=True)
    assert nodes.sleep_of(NODE) == Sleep(1_763_800_000, 1_763_803_600)
    take(nodes, b'{"online": true, "hello": "9f31"}', 1_763_803_601_000)
    assert nodes.sleep_of(NODE) == Sleep(1_763_800_000, 1_763_803_600, is_on=False)


def test_a_wake_in_no_calendar_is_none() -> None:
    nodes = NodeRegistry()
    take(nodes, b'{"online": false, "asleep": true, "next_wake": 9007199254740991}', 1)
    assert nodes.sleep_of(NODE) is None
    assert nodes.awake_at_ms(NODE) is None
