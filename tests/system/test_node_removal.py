"""A node that goes out of service: out of the broker, and nothing of it retained there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.mosquitto.reload import reload_broker
from simulators.board.board import VirtualBoard
from tests.secure_town import NODE, SecureTown, secure_town
from tests.servers import eventually
from tests.town_broker import GATEWAY, TownClient

WITNESS = "temoin"
OTHER = "3c71bf4a2b11"
RETAINED = [f"preau/v1/{NODE}/{kind}" for kind in ("presence", "settings")]


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[SecureTown]:
    """With one more account, which may see everything."""
    async with secure_town(tmp_path) as town:
        estate = town.broker.folder / "estate.toml"
        estate.write_text(f'[[node]]\nid = "{NODE}"\ninterval_s = 1\n')
        accounts = ("--gateway", GATEWAY, "--gateway", WITNESS)
        town.broker.configure(*accounts)
        with (town.broker.given / "acl").open("a") as rights:
            rights.write(f"\nuser {WITNESS}\ntopic readwrite #\n")
        reload_broker(town.pid_file)
        await eventually(lambda: town.gets_in(WITNESS, town.broker.password(WITNESS)))
        yield town


@pytest.fixture
async def board(town: SecureTown, tmp_path: Path) -> AsyncIterator[VirtualBoard]:
    async with town.board(tmp_path / "board") as board:
        await eventually(town.is_online)
        yield board
        print("\n".join(board.output))


def witness(town: SecureTown) -> TownClient:
    return TownClient(town.broker, WITNESS, town.broker.password(WITNESS))


async def retained(town: SecureTown) -> set[str]:
    """The topics of the node that the broker retains something of."""
    last = f"preau/v1/{OTHER}/settings"
    with witness(town).connected() as client:
        client.publish(last, b"{}", retain=True)
        # In order: once this one has come, those before it have.
        client.subscribe(*RETAINED, last)
        await eventually(lambda: any(topic == last for topic, _ in client.received))
        return {topic for topic, _ in client.received if topic in RETAINED}


async def is_clear(town: SecureTown) -> bool:
    return not await retained(town)


async def has_both(town: SecureTown) -> bool:
    return await retained(town) == set(RETAINED)


async def test_a_removed_node_leaves_nothing_with_the_broker(
    town: SecureTown, board: VirtualBoard
) -> None:
    await eventually(lambda: has_both(town))
    told = await town.preau("node", "remove", NODE, *town.to_broker)
    assert "its account at the broker is gone" in told
    assert "the broker retains nothing of it" in told
    await eventually(lambda: is_clear(town))
    await eventually(lambda: any("refuses with code 5" in line for line in board.output))
    assert await is_clear(town)
    # That it was cleared is no message of the node's that can't be read.
    assert (await town.gateway.get("/api/v1/deadletters"))["dead_letters"] == []


async def test_the_last_will_of_a_removed_node_does_not_stay_either(
    town: SecureTown, board: VirtualBoard
) -> None:
    """Its broker was not told, so it is thrown out later, or its power is cut."""
    await town.preau("node", "remove", NODE)
    await eventually(lambda: is_clear(town))
    with witness(town).connected() as client:
        client.subscribe(RETAINED[0])
        await board.kill()
        await eventually(lambda: any(b'"online": false' in said for _, said in client.received))
    await eventually(lambda: is_clear(town))


async def test_what_is_retained_is_cleared_later_where_the_service_was_away(
    town: SecureTown, board: VirtualBoard
) -> None:
    town.gateway.stop()
    told = await town.preau("node", "remove", NODE, *town.to_broker, status=1)
    assert "what the broker retains of it is still there: no service of Préau answers" in told
    assert not town.gets_in(NODE, board._config["broker"]["password"])
    town.gateway.start()
    await eventually(town.gateway.is_well)
    assert "retains nothing" in await town.preau("node", "remove", NODE, *town.to_broker)
    await eventually(lambda: is_clear(town))
