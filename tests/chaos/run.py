"""`make chaos`: faults drawn by a seed befall a whole system, which has lost nothing afterwards.

`python -m tests.chaos.run [--seed N] [--faults N] [--minutes N]`. Exit 0 if nothing is missing and
nothing is there twice; else 1, with the faults, their times and the seed to see it again.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.chaos.faults import WEIGHTED, Fault
from tests.chaos.verdict import judge
from tests.chaos.world import World, world

AT_ONCE = 3


async def run(
    folder: Path, seed: int, faults: int, minutes: float, say=lambda line: None
) -> tuple[list[str], list[str]]:
    """(what happened, what is wrong afterwards). No new fault begins after `minutes`."""
    rng = random.Random(seed)
    happened: list[str] = []
    async with world(folder) as system:
        end = time.monotonic() + minutes * 60
        async for what in befall(system, rng, faults, end):
            happened.append(what)
            say(what)
        say(f"{len(happened)} faults are over; waiting for what nodes still hold")
        wrong = await judge(system)
    return happened, wrong


async def befall(system: World, rng: random.Random, faults: int, end: float) -> AsyncIterator[str]:
    """Let faults befall the system, up to three at a time, until all are put right again."""
    begun = time.monotonic()
    at_once: set[asyncio.Task[str]] = set()

    async def one(fault: Fault, own: random.Random) -> str:
        at_s = time.monotonic() - begun
        return f"{at_s:7.1f} s  {await fault(system, own)}"

    while faults or at_once:
        if faults and len(at_once) < AT_ONCE and time.monotonic() < end:
            (fault,) = rng.choices(list(WEIGHTED), list(WEIGHTED.values()))
            # A generator of its own: what one draws does not depend on another's timing.
            at_once.add(asyncio.create_task(one(fault, random.Random(rng.random()))))
            faults -= 1
            await asyncio.sleep(rng.uniform(0.2, 3))
        elif time.monotonic() >= end:
            faults = 0
        over, at_once = await asyncio.wait(at_once, timeout=0.05) if at_once else (set(), set())
        for task in over:
            yield task.result()


def told(seed: int, faults: int, happened: list[str], wrong: list[str]) -> str:
    """Why a run failed, and how to see it again."""
    again = f'make chaos ARGS="--seed {seed} --faults {faults}"'
    return "\n".join(["", *happened, "", *wrong, "", f"to see it again: {again}"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=None, help="as a failed run prints it")
    parser.add_argument("--faults", type=int, default=220)
    parser.add_argument("--minutes", type=float, default=14, help="no new fault after that")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        happened, wrong = asyncio.run(
            run(Path(folder), seed, options.faults, options.minutes, lambda s: print(s, flush=True))
        )
    if wrong:
        print(told(seed, options.faults, happened, wrong))
        return 1
    print(f"{len(happened)} faults, seed {seed}: nothing missing, nothing twice")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
