"""In which order networks and brokers are tried, and how long is waited in between, with a clock
that goes on by what is slept.
"""

import asyncio
import sys


class _Enough(BaseException):
    """The check has seen what it wanted."""


class _Time:
    def __init__(self):
        self.now_ms = 0

    def ticks_ms(self):
        return self.now_ms

    def ticks_add(self, ticks, delta):
        return ticks + delta

    def ticks_diff(self, end, start):
        return end - start

    def time(self):
        return self.now_ms // 1000


class _Wlan:
    """Lets in to `open` while it is on; `tried` tells what was asked for, and when."""

    STA_IF = 0

    def __init__(self, clock):
        self.clock = clock
        self.open = ()
        self.tried = []
        self.joined = None
        self.on = False

    def WLAN(self, interface):  # noqa: N802 - it stands in for the module
        return self

    def active(self, on):
        self.on = on

    def isconnected(self):
        return self.joined in self.open

    def connect(self, ssid, key=None, bssid=None):
        assert self.on
        self.tried.append((ssid, key, bssid, self.clock.now_ms))
        self.joined = ssid

    def disconnect(self):
        self.joined = None

    def ifconfig(self, addresses):
        pass


class _Session:
    """`serves` says whether the gateway answers in a session."""

    topics: tuple = ()

    def __init__(self, serves=False):
        self.serves = serves
        self.served = False

    def on_message(self, topic, payload):
        pass

    def begin(self):
        self.served = self.serves
        return "topic", "will"


class _Settings:
    ip = None

    def __init__(self, wifi, brokers):
        self.wifi = [{"ssid": name, "password": "of " + name} for name in wifi]
        self.brokers = [{"name": name} for name in brokers]


clock = sys.modules["time"] = _Time()
air = sys.modules["network"] = _Wlan(clock)
from link import Link


def _link(wifi=(), brokers=("a",), serves=False):
    return Link(_Settings(wifi, brokers), "3c71bf4a2b10", _Session(serves))


def _waits(link, count, heard=None):
    """How long `run` waits between its attempts, the first `count` times."""
    waits = []

    async def sleep_ms(duration_ms):
        clock.now_ms += duration_ms
        if not air.joined or air.isconnected():
            waits.append(duration_ms)
            if heard:
                heard(len(waits))
        if len(waits) >= count:
            raise _Enough

    really, asyncio.sleep_ms = asyncio.sleep_ms, sleep_ms
    try:
        asyncio.run(link.run())
    except _Enough:
        return waits
    finally:
        asyncio.sleep_ms = really


def _attempt(link):
    """One; how often it looked up from its waiting."""
    looks = []

    async def sleep_ms(duration_ms):
        looks.append(duration_ms)
        clock.now_ms += duration_ms

    really, asyncio.sleep_ms = asyncio.sleep_ms, sleep_ms
    try:
        asyncio.run(link.attempt())
    finally:
        asyncio.sleep_ms = really
    return looks


def it_waits_longer_each_time_up_to_five_minutes():
    waits = _waits(_link(), 14)
    for turn, wait_ms in enumerate(waits):
        whole_ms = min(1_000 << turn, 300_000)
        assert whole_ms // 2 <= wait_ms <= whole_ms, (turn, wait_ms)


def no_two_nodes_wait_alike():
    first, second = (_waits(_link(), 14)[9:] for _ in range(2))
    # Five draws of 150,000 ms each: that they agree happens once in 10^25.
    assert first != second and len(set(first)) > 1, (first, second)


def a_gateway_that_has_answered_starts_it_anew():
    link = _link(["home"])
    air.open = ("home",)

    def heard(count):
        # From the sixth on the gateway answers in each session.
        link.session.serves = count >= 6

    waits = _waits(link, 9, heard)
    assert waits[5] >= 16_000, waits
    assert all(wait_ms <= 2_000 for wait_ms in waits[6:]), waits


def networks_are_tried_in_their_order_twenty_seconds_each():
    link = _link(["one", "two", "three"])
    looks = _attempt(link)
    assert [(name, key) for name, key, _, _ in air.tried] == [
        ("one", "of one"),
        ("two", "of two"),
        ("three", "of three"),
    ]
    starts = [at_ms for _, _, _, at_ms in air.tried]
    assert [start - starts[0] for start in starts] == [0, 20_000, 40_000]
    # It looks twenty times a second, and no faster.
    assert min(looks) >= 50 and len(looks) <= 1_200


def the_first_that_lets_in_is_taken():
    air.open = ("two", "three")
    _attempt(_link(["one", "two", "three"]))
    assert [name for name, _, _, _ in air.tried] == ["one", "two"]
    assert air.joined == "two"


def what_was_joined_last_is_tried_first_and_then_all_in_order():
    link = _link(["one", "two"])
    link.cached = ("two", b"\1\2\3\4\5\6", ("192.0.2.9", "255.255.255.0", "192.0.2.1", "192.0.2.1"))
    _attempt(link)
    assert [(name, bssid) for name, _, bssid, _ in air.tried] == [
        ("two", b"\1\2\3\4\5\6"),
        ("one", None),
        ("two", None),
    ]


def while_the_set_up_network_is_open_none_is_searched():
    link = _link(["one"])
    link.held = True
    _attempt(link)
    assert air.tried == []
    link.held = False
    _attempt(link)
    assert len(air.tried) == 1


def brokers_take_turns_until_one_serves_and_that_one_keeps_its_turn():
    air.open = ("home",)
    link = _link(["home"], ["a", "b", "c"])
    asked = []
    for serves in (False, False, False, False, True, True, False, False):
        asked.append(link.broker["name"])
        link.session.serves = serves
        _attempt(link)
    assert asked == ["a", "b", "c", "a", "b", "b", "b", "c"]
