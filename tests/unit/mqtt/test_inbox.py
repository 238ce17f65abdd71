"""How batches are gathered."""

import asyncio

from gateway.mqtt.inbox import Delivery, Inbox


def deliveries(count):
    return [Delivery("t", b"", False, 0, 1, mid, 1) for mid in range(1, count + 1)]


async def test_a_batch_is_ready_at_its_count_without_waiting_for_the_time():
    inbox = Inbox(100)
    inbox.extend(deliveries(30))
    async with asyncio.timeout(1):
        assert len(await inbox.next_batch(20, 60)) == 20
    assert len(inbox) == 10


async def test_a_full_inbox_is_a_batch_even_if_more_was_asked_for():
    inbox = Inbox(10)
    inbox.extend(deliveries(10))
    async with asyncio.timeout(1):
        assert len(await inbox.next_batch(2000, 60)) == 10


async def test_what_arrives_within_the_time_joins_the_first():
    inbox = Inbox(10)
    batch = asyncio.create_task(inbox.next_batch(10, 0.2))
    await asyncio.sleep(0)
    inbox.extend(deliveries(1))
    await asyncio.sleep(0)
    inbox.extend(deliveries(2))
    assert len(await batch) == 3


async def test_cancelling_the_reader_loses_nothing():
    inbox = Inbox(10)
    reader = asyncio.create_task(inbox.next_batch(10, 60))
    await asyncio.sleep(0)
    inbox.extend(deliveries(2))
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert len(await inbox.next_batch(10, 0)) == 2
