"""What one connection writes, in answer to what a broker sends; the transport is the only fake."""

import asyncio

import pytest

from gateway.mqtt import packets
from gateway.mqtt.connection import Connection, Terms, VersionRefusedError
from gateway.mqtt.inbox import Inbox
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.packets import Connect, Version
from tests.servers import eventually

ACCEPTED = b"\x20\x02\x00\x00"
SUBSCRIBED = b"\x90\x03\xff\xff\x01"


class RecordingTransport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.written = b""
        self.reading = True
        self.closed = False

    def write(self, data):
        self.written += data

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def abort(self):
        self.closed = True

    close = abort


class Line:
    """A connection that has been accepted and subscribed, and what it wrote since."""

    def __init__(self, queue_size=10, keepalive_s=30):
        self.inbox = Inbox(queue_size)
        self.outbox = Outbox(100)
        connect = Connect("gw", keepalive_s, queue_size, 60, 1 << 20)
        terms = Terms(
            connect=connect,
            version=Version.MQTT_311,
            filters=("preau/#",),
            ordinal=1,
            clock_ms=lambda: 1763800000000,
            on_accepted=lambda: None,
        )
        self.connection = Connection(terms, self.inbox, self.outbox)
        self.transport = RecordingTransport()
        self.connection.connection_made(self.transport)

    async def open(self):
        self.connection.data_received(ACCEPTED + SUBSCRIBED)
        await self.written()
        return self

    async def written(self):
        await asyncio.sleep(0)
        written, self.transport.written = self.transport.written, b""
        return written

    def deliver(self, *mids):
        self.connection.data_received(
            b"".join(
                packets.encode_publish(b"t", b"%d" % mid, Version.MQTT_311, mid=mid, retain=False)
                for mid in mids
            )
        )

    async def take(self):
        return await self.inbox.next_batch(100, 0)


async def test_acknowledgements_leave_in_the_order_of_reception_whatever_the_order_given():
    line = await Line().open()
    line.deliver(1, 2, 3)
    first, second, third = await line.take()
    line.connection.acknowledge([third])
    line.connection.acknowledge([second])
    assert await line.written() == b""
    assert line.connection.acknowledge([first]) == 3
    assert await line.written() == packets.encode_pubacks([1, 2, 3])


async def test_acknowledging_twice_does_not_release_a_later_message_with_the_same_id():
    line = await Line().open()
    line.deliver(1)
    (old,) = await line.take()
    line.connection.acknowledge([old])
    line.deliver(1)
    (new,) = await line.take()
    await line.written()
    line.connection.acknowledge([old])
    assert await line.written() == b""
    line.connection.acknowledge([new])
    assert await line.written() == packets.encode_pubacks([1])


async def test_reading_stops_when_the_queue_is_full_and_goes_on_when_there_is_room():
    line = await Line(queue_size=3).open()
    line.deliver(1, 2, 3, 4, 5)
    assert not line.transport.reading
    batch = await line.take()
    assert [delivery.mid for delivery in batch] == [1, 2, 3]
    line.connection.read_on()
    assert len(line.inbox) == 0, "taken is not yet acknowledged"
    line.connection.acknowledge(batch)
    assert line.transport.reading
    assert [delivery.mid for delivery in await line.take()] == [4, 5]


async def test_what_is_sent_in_one_turn_of_the_loop_is_one_write():
    line = await Line().open()
    writes = []
    line.transport.write = writes.append
    for _ in range(5):
        assert line.connection.publish(b"t", b"receipt", retain=False)
    await line.written()
    assert len(writes) == 1


async def test_a_broker_that_does_not_keep_up_gets_no_more_receipts():
    line = await Line().open()
    line.connection.pause_writing()
    assert not line.connection.publish(b"t", b"receipt", retain=False)
    line.connection.resume_writing()
    assert line.connection.publish(b"t", b"receipt", retain=False)


async def test_a_silent_broker_is_given_up_but_not_while_we_do_not_listen():
    line = await Line(queue_size=1, keepalive_s=1).open()
    line.deliver(1, 2)
    await eventually(lambda: line.transport.written.count(packets.PINGREQ_PACKET) == 2, 5)
    assert not line.transport.closed
    line.connection.acknowledge(await line.take())
    await eventually(lambda: line.transport.closed, 5)


async def test_hanging_up_on_connect_is_taken_for_the_wrong_version():
    line = Line()
    line.connection.connection_lost(None)
    with pytest.raises(VersionRefusedError):
        await line.connection.subscribed


async def test_qos_1_waits_for_the_window_of_the_broker():
    line = await Line().open()
    for n in range(150):
        line.outbox.add(b"t%d" % n, b"", retain=True)
    assert len(line.outbox) == 100, "an outbox takes what it has room for"
    line.outbox.start(2, session_present=False)
    line.connection.publish_outbox()
    assert (await line.written()).count(b"\x00\x02t") == 2
    line.connection.data_received(b"\x40\x02\x00\x01")
    assert (await line.written()).count(b"\x00\x02t") == 1
    assert len(line.outbox) == 99


async def test_unconfirmed_messages_are_sent_again_first_with_their_ids():
    line = await Line().open()
    outbox = line.outbox
    outbox.add(b"a", b"", retain=False)
    outbox.add(b"b", b"", retain=False)
    first = outbox.sendable(Version.MQTT_311)
    outbox.add(b"c", b"", retain=False)
    outbox.start(10, session_present=True)
    again = outbox.sendable(Version.MQTT_311)
    assert again[:2] == [bytes((packet[0] | 0x08,)) + packet[1:] for packet in first]
    assert b"\x00\x01c" in again[2]
