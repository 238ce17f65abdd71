"""A rollout's steps, where it stops, how it goes on; nodes are told apart by what they say."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.firmware.bundle import Formats, Release, make_bundle
from gateway.firmware.offers import Offers
from gateway.firmware.shelf import Shelf
from gateway.node_commands import Reply
from gateway.nodes import NodeRegistry, decode_presence
from gateway.rollout import FILE_NAME, Order, steps
from gateway.rollout_desk import Ground, RolloutDesk, UnderWayError
from ingest.errors import ConfigurationError
from tests.servers import eventually

NODES = [f"3c71bf4a2b{number:02x}" for number in range(20)]
NOW_MS = 1_763_800_000_000
RELEASE = Release("1.1.0", "esp32", 6, Formats(1, 1), Formats(1, 1))


class Town:
    """Twenty nodes that obey; `ends` says how an update ends, `confirmed` unless named."""

    def __init__(self, folder: Path, **ends: str) -> None:
        self.ends = ends
        self.asked: list[tuple[str, str | None]] = []
        self.trials: dict[str, int] = {}
        self.nodes = NodeRegistry()
        self.connected = True
        self.shelf = Shelf(folder)
        self.shelf.keys.create()
        self.shelf.put(self.shelf.keys.sign(make_bundle(RELEASE, {"app.mpy": b"code"})))
        for node in NODES:
            self.say(node, firmware="1.0.0")
        # Of an earlier attempt: not what is waited for.
        self.update(NODES[0], "old", "rolled_back")

    def say(self, node: str, *, online: bool = True, **more: object) -> None:
        payload = json.dumps({"online": online, "hello": "9f31"} | more).encode()
        self.nodes.take(decode_presence(payload, node, NOW_MS))

    def update(self, node: str, command_id: str | None, state: str) -> None:
        update = {"id": command_id, "version": "1.1.0", "state": state, "error": "of its own"}
        self.say(node, firmware="1.0.0", update=update)

    async def ask(
        self,
        node: str,
        do: str,
        fields: Mapping[str, Any],
        timeout_s: float,
        command_id: str | None = None,
    ) -> Reply:
        assert do == "update"
        self.asked.append((node, command_id))
        self.trials[node] = fields["trial_s"]
        end = self.ends.get(node, "confirmed")
        if end == "silent":
            await asyncio.sleep(timeout_s)
        if end == "no":
            return Reply(id=str(command_id), ok=False, error="still on trial")
        self.update(node, command_id, "fetching")
        if end != "fetching":
            asyncio.get_running_loop().call_soon(self.update, node, command_id, end)
        return Reply(id=str(command_id), ok=True)

    def desk(self, **terms: float) -> RolloutDesk:
        return RolloutDesk(
            Ground(
                folder=self.shelf.data,
                commands=self,
                nodes=self.nodes,
                offers=Offers(self.shelf, "http://127.0.0.1:8080"),
                is_connected=lambda: self.connected,
                clock_ms=lambda: NOW_MS,
                **terms,
            )
        )


@asynccontextmanager
async def at_work(desk: RolloutDesk) -> AsyncIterator[RolloutDesk]:
    task = asyncio.create_task(desk.run_loop())
    try:
        yield desk
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ended(desk: RolloutDesk) -> Order:
    def end() -> Order | None:
        return desk.order if desk.order and desk.order.state != "running" else None

    return await eventually(end)


async def rolled_out(desk: RolloutDesk, trial_s: int | None = 60) -> Order:
    async with at_work(desk):
        await desk.begin(RELEASE.name, None, 1, trial_s)
        return await ended(desk)


def test_one_then_a_tenth_then_all() -> None:
    assert [len(step) for step in steps(NODES, 1)] == [1, 2, 17]
    assert [len(step) for step in steps(NODES, 5)] == [5, 2, 13]
    assert [len(step) for step in steps(NODES[:1], 1)] == [1]
    assert sum(steps(NODES, 3), []) == NODES  # noqa: RUF017 - twenty


async def test_all_get_it_where_all_come_back(tmp_path: Path) -> None:
    town = Town(tmp_path)
    order = await rolled_out(town.desk())
    assert order.state == "done"
    assert [node for node, _ in town.asked] == NODES
    assert all(one.state == "confirmed" for one in order.nodes)


@pytest.mark.parametrize("end", ["rolled_back", "refused", "no"])
async def test_where_the_first_fails_the_other_nineteen_never_get_it(
    tmp_path: Path, end: str
) -> None:
    town = Town(tmp_path, **{NODES[0]: end})
    order = await rolled_out(town.desk())
    assert order.state == "failed"
    assert "19 nodes were left as they are" in str(order.problem)
    assert NODES[0] in str(order.problem)
    assert [node for node, _ in town.asked] == NODES[:1]


async def test_where_one_of_the_second_step_fails_the_rest_never_get_it(tmp_path: Path) -> None:
    town = Town(tmp_path, **{NODES[2]: "rolled_back"})
    order = await rolled_out(town.desk())
    assert "17 nodes" in str(order.problem)
    assert [node for node, _ in town.asked] == NODES[:3]


async def test_a_node_asleep_is_not_offered_what_another_has_failed_with(tmp_path: Path) -> None:
    town = Town(tmp_path, **{NODES[0]: "rolled_back", NODES[1]: "silent"})
    town.say(NODES[1], online=False, asleep=True, next_wake=NOW_MS // 1000 + 3600)
    desk = town.desk()
    async with at_work(desk):
        await desk.begin(RELEASE.name, NODES[:3], 2, 60)
        order = await ended(desk)
    assert order.state == "failed"
    assert [one.state for one in order.nodes] == ["rolled_back", "waiting", "waiting"]
    assert "2 nodes were left as they are" in str(order.problem)


@pytest.mark.parametrize(("end", "told"), [("fetching", "not back within"), ("silent", "no reply")])
async def test_a_node_that_does_not_come_back_stops_it(tmp_path: Path, end: str, told: str) -> None:
    town = Town(tmp_path, **{NODES[0]: end})
    order = await rolled_out(town.desk(offer_s=0.1, extra_s=0.1), trial_s=1)
    assert order.nodes[0].state == "away"
    assert told in str(order.problem)
    assert [node for node, _ in town.asked] == NODES[:1]


async def test_while_the_broker_is_away_no_node_is_blamed(tmp_path: Path) -> None:
    town = Town(tmp_path, **{NODES[0]: "silent"})
    town.connected = False
    desk = town.desk(offer_s=0.1)
    async with at_work(desk):
        order = await desk.begin(RELEASE.name, NODES[:1], 1, 1)
        await eventually(lambda: order.nodes[0].state == "offered")
        looks = asyncio.get_running_loop().time() + 1.5
        await eventually(lambda: asyncio.get_running_loop().time() > looks)
        assert order.state == "running"
        town.connected = True
        assert (await ended(desk)).nodes[0].state == "away"


async def test_it_goes_on_in_another_process_and_says_the_same_command_again(
    tmp_path: Path,
) -> None:
    town = Town(tmp_path, **{NODES[1]: "silent"})
    before = town.desk()
    async with at_work(before):
        order = await before.begin(RELEASE.name, NODES[:3], 1, 60)
        await eventually(lambda: len(town.asked) == 2)
    said = dict(town.asked)
    town.ends.clear()
    town.asked.clear()
    after = town.desk()
    assert after.order is not order
    async with at_work(after):
        assert (await ended(after)).state == "done"
    # Those that tell how it went by themselves are not asked again.
    assert [node for node, _ in town.asked] == NODES[1:3]
    assert town.asked[0] == (NODES[1], said[NODES[1]])


async def test_what_was_stopped_does_not_go_on_in_another_process(tmp_path: Path) -> None:
    town = Town(tmp_path, **{NODES[0]: "silent"})
    desk = town.desk()
    async with at_work(desk):
        await desk.begin(RELEASE.name, None, 1, None)
        await eventually(lambda: town.asked)
        await desk.stop()
    town.asked.clear()
    again = town.desk()
    async with at_work(again):
        assert again.order is not None
        assert again.order.problem == "stopped on order. 19 nodes were left as they are"
        # A later one is carried out, and it alone.
        await again.begin(RELEASE.name, NODES[5:6], 1, None)
        assert (await ended(again)).state == "done"
    assert [node for node, _ in town.asked] == NODES[5:6]


async def test_one_at_a_time(tmp_path: Path) -> None:
    town = Town(tmp_path, **{NODES[0]: "silent"})
    desk = town.desk()
    async with at_work(desk):
        both = [desk.begin(RELEASE.name, None, 1, None) for _ in range(2)]
        done = await asyncio.gather(*both, return_exceptions=True)
    assert [type(one) for one in done] == [Order, UnderWayError]


async def test_a_bundle_that_became_another_goes_to_nobody_else(tmp_path: Path) -> None:
    town = Town(tmp_path, **{NODES[0]: "silent"})
    desk = town.desk()
    async with at_work(desk):
        await desk.begin(RELEASE.name, None, 1, None)
        await eventually(lambda: town.asked)
    town.asked.clear()
    town.shelf.put(town.shelf.keys.sign(make_bundle(RELEASE, {"app.mpy": b"other code"})))
    again = town.desk()
    async with at_work(again):
        order = await ended(again)
    assert order.state == "failed"
    assert "is another one than when this began" in str(order.problem)
    assert town.asked == []


async def test_all_means_those_that_are_there_or_will_wake_and_run_something_else(
    tmp_path: Path,
) -> None:
    town = Town(tmp_path)
    now_s = NOW_MS // 1000
    town.say(NODES[0], online=False, asleep=True, next_wake=now_s + 600)
    town.say(NODES[1], online=False)
    town.say(NODES[2], firmware="1.1.0")
    order = await rolled_out(town.desk(), trial_s=None)
    # Who answers at once goes first.
    assert [one.node for one in order.nodes] == [*NODES[3:], NODES[0]]
    assert (town.trials[NODES[3]], town.trials[NODES[0]]) == (600, 30)


async def test_an_unreadable_order_is_told_and_a_full_disk_takes_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    town = Town(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"{")
    desk = town.desk()
    assert desk.order is None
    assert "no rollout goes on" in caplog.text
    (tmp_path / FILE_NAME).unlink()
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(ConfigurationError):
        await desk.begin(RELEASE.name, None, 1, None)
    assert desk.order is None
    assert town.asked == []
