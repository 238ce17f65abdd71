"""The short form of `make chaos`: a fixed seed, some thirty faults of every kind."""

import random
from pathlib import Path

import pytest

from tests.chaos.faults import kill_gateway
from tests.chaos.run import run, told
from tests.chaos.verdict import judge
from tests.chaos.world import World, world
from tests.servers import eventually

SEED = 20261123
FAULTS = 36


@pytest.mark.timeout(600)
async def test_after_many_faults_at_once_nothing_is_missing_and_nothing_twice(tmp_path: Path):
    happened, wrong = await run(tmp_path, SEED, FAULTS, minutes=1.5)
    assert len(happened) >= 20
    assert not wrong, told(SEED, FAULTS, happened, wrong)


@pytest.mark.timeout(300)
async def test_the_verdict_finds_a_gateway_that_acknowledges_before_it_stores(tmp_path: Path):
    rng = random.Random(SEED)
    async with world(tmp_path, "tests.chaos.eager_gateway") as system:
        for _ in range(3):
            lost = promised(system)
            await eventually(lambda lost=lost: promised(system) > lost, 60)
            await kill_gateway(system, rng)
        wrong = await judge(system)
    assert any("store: " in line and "missing" in line for line in wrong), wrong


def promised(system: World) -> int:
    """How many packs were receipted that are not in the store: what a kill would lose now."""
    with system.gateway.reader() as reader:
        logs = [log for node in system.nodes for log in reader.logs(node.node)]
    stored = sum(high - low + 1 for log in logs for low, high in log.received)
    return sum(node.receipted for node in system.nodes) - stored
