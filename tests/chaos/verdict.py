"""Whether anything is missing, or there twice, after all faults have been put right.

It compares what the nodes themselves remember to have measured with the store, and the store with
InfluxDB. Neither is asked about itself alone.
"""

import asyncio
from collections import defaultdict

from tests.chaos.world import World
from tests.influx import influx_query
from tests.servers import eventually

HEALED_WITHIN_S = 240
Found = dict[tuple[str, str, int], float]
"""(quantity, channel, measured_at_ms) → value"""


async def judge(world: World) -> list[str]:
    """What is wrong; nothing, if all is well."""
    for node in world.nodes:
        node.state.interval_s = 3600
    try:
        await eventually(
            lambda: not any(node.held for node in world.nodes), HEALED_WITHIN_S, every_s=0.5
        )
    except AssertionError:
        held = [node for node in world.nodes if node.held]
        return [f"{n.node} still holds {n.held} packs: {n.last_error}" for n in held]
    # What a clock that was wrong has set aside is put back, as the documentation says.
    async with world.lock("gateway"):
        world.gateway.stop()
        wrong_clock = ["--reason", "time_ahead", "--clock-was-wrong", "--from", "2020-01-01"]
        replayed = await asyncio.to_thread(world.preau, "deadletters", "replay", *wrong_clock)
        await asyncio.to_thread(world.gateway.start)
    wrong = [] if replayed.returncode == 0 else [f"replay: {replayed.stdout}{replayed.stderr}"]
    try:
        await eventually(lambda: _settled(world), HEALED_WITHIN_S, every_s=0.5)
    except AssertionError:
        wrong.append("the journal has not emptied: something was not sorted in or not shipped")
    return wrong + await asyncio.to_thread(_compared, world)


def _settled(world: World) -> bool:
    """Everything is sorted in and shipped: the journal is empty."""
    with world.gateway.reader() as reader:
        return reader.ask(lambda c: c.execute("SELECT count(*) FROM journal").fetchone()) == (0,)


def _compared(world: World) -> list[str]:
    wrong = []
    with world.gateway.reader() as reader:
        letters = reader.dead_letters(limit=5)
        counts = reader.dead_letter_counts()
    if letters:
        wrong.append(f"dead letters {counts}, such as {letters[0]}")
    for node in world.nodes:
        taken = {(r.quantity, r.channel, r.measured_at_ms): r.value for r in node.readings or ()}
        stored = {(q, c, at): value for q, c, at, value in world.gateway.stored(node.node)}
        wrong += _differences(f"{node.node}: store", taken, stored)
        wrong += _differences(f"{node.node}: InfluxDB", stored, _in_influx(world, node.node))
        wrong += _numbers(world, node)
    audit = world.preau("audit")
    if audit.returncode or "0 missing" not in audit.stdout:
        wrong.append(f"audit says {audit.returncode}: {audit.stdout[-2000:]}{audit.stderr}")
    return wrong


def _numbers(world: World, node) -> list[str]:
    with world.gateway.reader() as reader:
        logs = reader.logs(node.node)
    if [(log.log, list(log.received)) for log in logs] != [(node.log, [(1, node.taken)])]:
        return [f"{node.node}: took {node.taken} packs, received are {logs}"]
    return []


def _in_influx(world: World, node: str) -> Found:
    """Every value of a node that InfluxDB holds, under whatever tags."""
    found: Found = {}
    for measurement in ("room_air", "node_health"):
        query = f"SELECT * FROM {measurement} WHERE node = '{node}' GROUP BY channel"  # noqa: S608
        for series in influx_query(world.influx.port, query):
            for row in series["values"]:
                values = dict(zip(series["columns"], row, strict=True))
                for name, value in values.items():
                    if value is not None and f"{name}_quality" in values:
                        found[name, series["tags"]["channel"], values["time"]] = float(value)
    return found


def _differences(what: str, expected: Found, found: Found) -> list[str]:
    missing = expected.keys() - found.keys()
    more = found.keys() - expected.keys()
    other = [key for key in expected.keys() & found.keys() if expected[key] != found[key]]
    tellings = {"missing": missing, "of nobody": more, "with another value": other}
    counts: defaultdict[str, str] = defaultdict(str)
    for word, keys in tellings.items():
        if keys:
            counts[word] = f"{what}: {len(keys)} {word}, such as {min(keys)}"
    return list(counts.values())
