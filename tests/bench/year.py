"""A simulated year of 24 rooms at five minutes, straight into the local store."""

import tempfile
import time
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

from ingest.store.writer import StoreWriter
from simulators.straight import write_straight
from simulators.town import demo_town
from tests.bench.figures import Figure

END_MS = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp() * 1000)
YEAR_MS = 365 * 86_400_000


def run(options: Namespace) -> list[Figure]:
    """Weather, physics, people, chips, judging, commit and fold; beside it the physics alone."""
    with tempfile.TemporaryDirectory() as folder, StoreWriter(Path(folder)) as store:
        begun_s = time.perf_counter()
        begun_cpu_s = time.process_time()
        town = demo_town(1, copies=2)
        count = write_straight(store, town, END_MS - YEAR_MS, END_MS)
        took_s = time.perf_counter() - begun_s
        cpu_s = time.process_time() - begun_cpu_s
    begun_s = time.perf_counter()
    town = demo_town(1, copies=2)
    for number in range(26):
        town.air.stretch(number)
    physics_s = time.perf_counter() - begun_s
    rooms = len(town.rooms)
    return [
        Figure(
            f"a year of {rooms} rooms at 5 minutes into the store",
            took_s,
            "s",
            bar=60,
            at_most=True,
        ),
        Figure("of it processor time", cpu_s, "s"),
        Figure("its readings", count, "readings"),
        Figure("its physics alone", physics_s, "s"),
    ]
