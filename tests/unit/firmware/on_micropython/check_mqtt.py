"""What a broker may send: anything. The session ends with an error of its own, or goes on."""

import asyncio
import gc
import random

from mqtt import Client, MqttError

_ASKED_MAX = 1024


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    async def readexactly(self, size):
        assert size <= _ASKED_MAX, size
        if self.at + size > len(self.data):
            raise EOFError
        self.at += size
        return self.data[self.at - size : self.at]


class _Writer:
    sent = b""

    def write(self, data):
        self.sent = bytes(data)

    async def drain(self):
        pass

    def close(self):
        pass

    async def wait_closed(self):
        pass


def _heard(data):
    """(messages, error) of a connection on which `data` arrives and then the end."""
    messages = []
    client = Client("node", lambda topic, payload: messages.append((topic, payload)))
    client.reader, client.writer, client.opened = _Reader(data), _Writer(), True
    try:
        asyncio.run(client.run())
    except (MqttError, OSError) as error:
        return messages, error
    raise AssertionError("a connection that ended was not noticed")


def _publish(topic=b"preau/v1/3c71bf4a2b10/receipts", payload=b"{}", qos=0):
    body = bytes((len(topic) >> 8, len(topic) & 255)) + topic + (b"\x00\x07" if qos else b"")
    body += payload
    size = bytearray()
    left = len(body)
    while left > 127:
        size.append(left & 127 | 128)
        left >>= 7
    size.append(left)
    return bytes((0x30 | qos << 1,)) + bytes(size) + body


def what_is_well_formed_arrives():
    messages, error = _heard(_publish(payload=b"[1]", qos=1) + b"\xd0\x00" + _publish())
    topic = "preau/v1/3c71bf4a2b10/receipts"
    assert messages == [(topic, b"[1]"), (topic, b"{}")] and "EOF" in repr(error)


def a_message_that_is_too_long_is_let_go_and_the_session_goes_on():
    messages, _ = _heard(_publish(payload=b"x" * 5000, qos=1) + _publish(payload=b"[2]"))
    assert [payload for _, payload in messages] == [b"[2]"]


def what_is_malformed_ends_the_session():
    for data, why in (
        (b"\x30\xff\xff\xff\xff\x01", "malformed length"),
        (b"\x30\xff\xff\xff\x7f", "packet of 268435455 bytes"),
        (b"\x30\x03\x00\x09abc", "malformed publish"),
        (b"\x36\x05\x00\x01a\x00\x01", "malformed publish"),
        (_publish(topic=b"\xff\xfe"), "topic is no text"),
        (_publish(topic=b"x" * 129), "malformed publish"),
        (b"\x90\x03\x00\x01\x80", "refused"),
        (b"\x40\x04\x00\x01\x00\x00", "unexpected packet"),
        (b"\x20\x02\x00\x00", "unexpected packet"),
        (b"\x00\x00", "unexpected packet"),
        (b"\xf0\x00", "unexpected packet"),
    ):
        messages, error = _heard(data)
        assert messages == [] and why in str(error), (data, error)


def anything_at_all_ends_in_an_error_of_its_own_and_leaves_no_memory():
    random.seed(5)
    valid = _publish(qos=1) + b"\x90\x03\x00\x01\x01" + b"\x40\x02\x00\x01" + _publish()
    marks = []
    for turn in range(3000):
        data = bytearray(valid)
        if turn % 3 == 0:
            data = bytearray(random.getrandbits(8) for _ in range(random.randrange(1, 80)))
            data[0] = (0x30, 0x32, 0x40, 0x90, 0xD0, data[0])[turn // 3 % 6]
        elif turn % 3 == 1:
            for _ in range(random.randrange(1, 4)):
                data[random.randrange(len(data))] = random.getrandbits(8)
        else:
            data = data[: random.randrange(len(data))]
        _heard(bytes(data))
        if turn % 1000 == 999:
            gc.collect()
            marks.append(gc.mem_alloc())
    assert max(marks) - min(marks) < 512, marks
