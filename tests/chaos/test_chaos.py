"""The short form of `make chaos`: a fixed seed, some thirty faults of every kind."""

from pathlib import Path

import pytest

from tests.chaos.run import run, told

SEED = 20261123
FAULTS = 36


@pytest.mark.timeout(600)
async def test_after_many_faults_at_once_nothing_is_missing_and_nothing_twice(tmp_path: Path):
    happened, wrong = await run(tmp_path, SEED, FAULTS, minutes=1.5)
    assert len(happened) >= 20
    assert not wrong, told(SEED, FAULTS, happened, wrong)
