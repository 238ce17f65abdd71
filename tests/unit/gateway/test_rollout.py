"""A rollout's steps, and where it stops; the nodes are told apart by what they will say."""

from typing import Any

import pytest

from gateway.firmware.shelf import Offer
from gateway.rollout import Rollout, RolloutError, steps

OFFER = Offer("preau-esp32-1.1.0.bundle", "1.1.0", 1000, "0" * 64)
NODES = [f"3c71bf4a2b{number:02x}" for number in range(20)]


class Town:
    """Answers as the service does; `ends` says how an update ends, `confirmed` unless named."""

    def __init__(self, **ends: str) -> None:
        self.ends = ends
        self.asked: list[str] = []
        self.updates: dict[str, dict[str, Any]] = {
            # Of an earlier attempt: not what is waited for.
            NODES[0]: {"id": "old", "version": "1.1.0", "state": "rolled_back", "error": "old"}
        }

    async def get(self, path: str) -> Any:
        # Two pages, as of a large town.
        if path == "/api/v1/nodes":
            return {"nodes": self._told(NODES[:10]), "next": "/api/v1/nodes?cursor=x"}
        return {"nodes": self._told(NODES[10:]), "next": None}

    def _told(self, nodes: list[str]) -> list[dict[str, Any]]:
        told = [{"id": node, "update": self.updates.get(node)} for node in nodes]
        for node in nodes:
            update = self.updates.get(node)
            if update and update["state"] == "fetching":
                state = self.ends.get(node, "confirmed")
                self.updates[node] = update | {"state": state, "error": "of its own"}
        return told

    async def post(self, path: str, body: dict[str, Any], timeout_s: float) -> Any:
        node = path.split("/")[4]
        assert body["bundle"] == OFFER.name
        self.asked.append(node)
        if self.ends.get(node) == "no":
            return {"id": node, "ok": False, "error": "still on trial"}
        self.updates[node] = {"id": node, "version": "1.1.0", "state": "fetching"}
        return {"id": node, "ok": True}


def rollout(town: Town, told: list[str], wait_s: float = 30) -> Rollout:
    return Rollout(service=town, offer=OFFER, trial_s=60, wait_s=wait_s, tell=told.append)


def test_one_then_a_tenth_then_all() -> None:
    assert [len(step) for step in steps(NODES, 1)] == [1, 2, 17]
    assert [len(step) for step in steps(NODES, 5)] == [5, 2, 13]
    assert [len(step) for step in steps(NODES[:1], 1)] == [1]
    assert sum(steps(NODES, 3), []) == NODES  # noqa: RUF017 - twenty


async def test_all_get_it_where_all_come_back() -> None:
    town, told = Town(), list[str]()
    await rollout(town, told).run(NODES, 1)
    assert town.asked == NODES
    assert sum("confirmed" in line for line in told) == 20


@pytest.mark.parametrize("end", ["rolled_back", "refused", "no"])
async def test_where_the_first_fails_the_other_nineteen_never_get_it(end: str) -> None:
    town = Town(**{NODES[0]: end})
    with pytest.raises(RolloutError, match="19 nodes were left as they are") as stopped:
        await rollout(town, []).run(NODES, 1)
    assert town.asked == NODES[:1]
    assert NODES[0] in str(stopped.value)


async def test_where_one_of_the_second_step_fails_the_rest_never_get_it() -> None:
    town = Town(**{NODES[2]: "rolled_back"})
    with pytest.raises(RolloutError, match="17 nodes"):
        await rollout(town, []).run(NODES, 1)
    assert town.asked == NODES[:3]


async def test_a_node_that_does_not_come_back_stops_it() -> None:
    town = Town(**{NODES[0]: "trial"})
    with pytest.raises(RolloutError, match="not back within 0"):
        await rollout(town, [], wait_s=0.6).run(NODES, 1)
    assert town.asked == NODES[:1]
