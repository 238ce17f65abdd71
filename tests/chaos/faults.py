"""What can go wrong, each fault as a coroutine that does it and puts it right again."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable

from tests.chaos.world import World, revive
from tests.servers import Server

Fault = Callable[[World, random.Random], Awaitable[str]]
"""Does its harm, heals, and says in words what it did."""


async def kill_gateway(world: World, rng: random.Random) -> str:
    async with world.lock("gateway"):
        world.gateway.kill()
        pause_s = rng.uniform(0, 2)
        await asyncio.sleep(pause_s)
        await revive(world.gateway)
    return f"gateway killed, away for {pause_s:.1f} s"


async def wipe_broker(world: World, rng: random.Random) -> str:
    """Mosquitto keeps nothing on disk here: a restart is a broker whose memory is gone."""
    async with world.lock("broker"):
        world.broker.kill()
        pause_s = rng.uniform(0, 3)
        await asyncio.sleep(pause_s)
        await revive(world.broker)
    return f"broker killed and wiped, away for {pause_s:.1f} s"


async def kill_both(world: World, rng: random.Random) -> str:
    async with world.lock("gateway"), world.lock("broker"):
        world.gateway.kill()
        world.broker.kill()
        await revive(world.broker)
        await asyncio.sleep(rng.uniform(0, 1))
        await revive(world.gateway)
    return "gateway and broker killed"


async def kill_influx(world: World, rng: random.Random) -> str:
    async with world.lock("influx"):
        world.influx.kill()
        pause_s = rng.uniform(0, 6)
        await asyncio.sleep(pause_s)
        await revive(world.influx)
    return f"InfluxDB killed, away for {pause_s:.1f} s"


async def freeze(world: World, rng: random.Random) -> str:
    name = rng.choice(["gateway", "broker", "influx"])
    seconds = rng.uniform(0.5, 5)
    server: Server = getattr(world, name)
    async with world.lock(name):
        process = server.process
        assert process is not None
        os.killpg(process.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.killpg(process.pid, signal.SIGCONT)
    return f"{name} frozen for {seconds:.1f} s"


async def stall_link(world: World, rng: random.Random) -> str:
    name = rng.choice(list(world.links))
    seconds = rng.uniform(0.5, 6)
    async with world.lock(f"link {name}"):
        await world.links[name].stall(seconds)
    return f"link {name} stalled for {seconds:.1f} s"


async def cut_link(world: World, rng: random.Random) -> str:
    name = rng.choice(list(world.links))
    if rng.random() < 0.5:
        world.links[name].halve()
        return f"link {name} cut in the middle of a chunk"
    world.links[name].reset()
    return f"link {name} reset"


async def fill_disk(world: World, rng: random.Random) -> str:
    """Not one byte is left, then there is room again."""
    seconds = rng.uniform(1, 6)
    async with world.lock("disk"):
        await asyncio.to_thread(_fill, world.disk / "filler")
        try:
            await asyncio.sleep(seconds)
        finally:
            (world.disk / "filler").unlink()
    return f"disk full for {seconds:.1f} s"


def _fill(file) -> None:
    with file.open("wb", buffering=0) as filler:
        size = 1 << 20
        while size:
            try:
                filler.write(bytes(size))
            except OSError:
                size //= 2


async def repeat_packs(world: World, rng: random.Random) -> str:
    count = world.overheard.repeat(rng, rng.randrange(20, 400))
    return f"{count} packs said again, in any order"


async def send_backlog(world: World, rng: random.Random) -> str:
    """A week of five minutes at once, from a node that comes back."""
    node = rng.choice(world.nodes)
    packs = rng.choice([50, 300, 2016])
    world.backlog(node, packs, 300_000)
    return f"{node.node} sends {packs} packs of the days before"


async def cut_power(world: World, rng: random.Random) -> str:
    node = rng.choice(world.nodes)
    async with world.lock(node.node):
        await node.crash()
        await asyncio.sleep(rng.uniform(0, 2))
        node.start()
    return f"{node.node} lost its power"


async def step_clock(world: World, rng: random.Random) -> str:
    """Of the gateway; more than five minutes back, good readings look as if they lay ahead."""
    offset_s = rng.choice([-900, -240, -30, 30, 3600, 86_400])
    seconds = rng.uniform(0.5, 3)
    async with world.lock("clock"):
        world.step_clock(offset_s * 1000)
        try:
            await asyncio.sleep(seconds)
        finally:
            world.step_clock(0)
    return f"the gateway's clock was off by {offset_s} s for {seconds:.1f} s"


WEIGHTED: dict[Fault, int] = {
    kill_gateway: 5,
    wipe_broker: 3,
    kill_both: 2,
    kill_influx: 3,
    freeze: 3,
    stall_link: 4,
    cut_link: 6,
    fill_disk: 3,
    repeat_packs: 4,
    send_backlog: 2,
    cut_power: 2,
    step_clock: 3,
}
