"""Queries of the store over 100 million readings: the latest of 300 rooms, one room's year.

The store is made by the writer's own schema, a year of readings every five minutes of as many
nodes as it takes; it is kept in `--folder`, if given, for the next time.
"""

import random
import sqlite3
import statistics
import subprocess
import tempfile
import time
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path

from ingest.store.database import FILE_NAME, open_for_writing
from ingest.store.reader import StoreReader
from tests.bench.figures import Figure
from tests.bench.publisher import node_id

QUANTITIES = ("temperature", "humidity", "co2")
STEP_MS = 300_000
YEAR_MS = 365 * 86_400_000
BEGIN_MS = 1_763_800_000_000 // 86_400_000 * 86_400_000
PER_SERIES = YEAR_MS // STEP_MS


def build(folder: Path, readings: int) -> int:
    """A store of about so many readings; how many series."""
    nodes = max(1, readings // PER_SERIES // len(QUANTITIES))
    connection = open_for_writing(folder)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    series = 0
    for number in range(nodes):
        connection.execute("BEGIN")
        for quantity in QUANTITIES:
            series += 1
            row = (series, node_id(number), quantity)
            connection.execute("INSERT INTO series VALUES (?, ?, ?, 'main')", row)
            # Made by SQLite itself: a hundred million rows from Python would take the afternoon.
            connection.execute(
                "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO reading SELECT ?, ? + i * ?, 20.0 + (i * 7919 % 1000) / 100.0,"
                " 0, 900, 0 FROM n",
                (PER_SERIES - 1, series, BEGIN_MS, STEP_MS),
            )
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return series


def run(options: Namespace) -> list[Figure]:
    """Each query many times on a warm file, and once on a cold one where the machine lets us."""
    keep = nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory()
    with keep as name:
        folder = Path(name)
        folder.mkdir(exist_ok=True)
        begun = time.perf_counter()
        if not (folder / FILE_NAME).exists():
            build(folder, options.readings)
        built_s = time.perf_counter() - begun
        with StoreReader(folder) as reader:
            rows = reader.ask(_count)
        figures = [
            Figure("readings in the store", rows, "readings"),
            Figure("size of the store", (folder / FILE_NAME).stat().st_size / 1e9, "GB"),
            Figure("built in", built_s, "s"),
        ]
        for what, cold in (("warm", False), ("cold", True)):
            if cold and not _drop_caches():
                print("the file cache can't be dropped here: no cold figures")
                continue
            latest_ms, year_ms = _times(folder, 1 if cold else 20, cold=cold)
            # Cold there is no bar: the page's latest readings lie in memory anyway.
            bar = {} if cold else {"bar": 10, "at_most": True}
            figures += [
                Figure(f"latest of 300 rooms, {what}", latest_ms, "ms", **bar),
                Figure(
                    f"a room's year in 500 points, {what}", year_ms, "ms", bar=200, at_most=True
                ),
            ]
    return figures


def _count(connection: sqlite3.Connection) -> int:
    (series,) = connection.execute("SELECT count(*) FROM series").fetchone()
    return series * PER_SERIES


def _times(folder: Path, rounds: int, *, cold: bool) -> tuple[float, float]:
    """(latest, year) in milliseconds, medians."""
    rng = random.Random(1)
    latest, year = [], []
    for _ in range(rounds):
        with StoreReader(folder) as reader:
            series = reader.series(quantity="temperature")
            rooms = rng.sample(series, min(300, len(series)))
            begun = time.perf_counter()
            found = list(reader.latest(rooms))
            latest.append((time.perf_counter() - begun) * 1000)
            assert len(found) == len(rooms)
            if cold:
                _drop_caches()
            begun = time.perf_counter()
            averages = reader.averages(
                rng.choice(series), BEGIN_MS, BEGIN_MS + YEAR_MS, YEAR_MS // 500
            )
            year.append((time.perf_counter() - begun) * 1000)
            assert len(averages) >= 499
    return statistics.median(latest), statistics.median(year)


def _drop_caches() -> bool:
    subprocess.run(["sync"], check=True)
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True
