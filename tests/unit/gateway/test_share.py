"""A gateway keeps to its share while estate and clock move on."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.settings import ShareSettings
from gateway.share import ShareKeeper, client_id_of
from ingest.estate.model import Building, Estate, Node, Placement, Room, Site
from ingest.estate.share import Share
from ingest.topics import subscriptions

FIRST, SECOND, THIRD, STRANGER = (f"3c71bf4a{number:04x}" for number in (0, 4, 8, 12))
HANDOVER_S = 10.0
NOON_S = 1_790_000_000
PLACES = {FIRST: "alizes", SECOND: "alizes", THIRD: "bruyeres"}


def estate(places: dict[str, str], since_s: int = NOON_S - 60) -> Estate:
    since = datetime.fromtimestamp(since_s, UTC)
    sites = tuple(
        Site(
            id=name,
            name=name,
            building=(Building(id="main", name="m", room=(Room(id="hall", name="h"),)),),
        )
        for name in ("alizes", "bruyeres")
    )
    nodes = tuple(
        Node(id=node, placement=(Placement(room=f"{site}/hall", since=since),))
        for node, site in places.items()
    )
    return Estate(sites=sites, nodes=nodes)


class World:
    """What a keeper looks at, to be changed under it."""

    def __init__(self, share: Share, now: Estate | None = None) -> None:
        self.estate = now or estate(PLACES)
        self.now_s = float(NOON_S)
        self.keeper = ShareKeeper(
            share,
            lambda: self.estate,
            lambda _node: False,
            lambda: round(self.now_s * 1000),
            handover_s=HANDOVER_S,
        )

    def look(self) -> bool:
        return self.keeper.look(self.now_s)

    def filters(self) -> set[str]:
        return set(self.keeper.filters)


ALIZES = Share.of(("alizes",), strangers=False)
GREETER = Share.of(("alizes",), strangers=True)


def of(*nodes: str) -> set[str]:
    return set(subscriptions(nodes))


def test_a_share_subscribes_to_its_own_nodes_and_to_nothing_else():
    world = World(ALIZES)
    assert world.filters() == of(FIRST, SECOND)
    assert not world.look(), "nothing has changed"


def test_whoever_takes_strangers_in_hears_everybody_and_leaves_others_their_nodes():
    keeper = World(GREETER).keeper
    assert set(keeper.filters) == set(subscriptions())
    assert [keeper.takes(node) for node in (FIRST, THIRD, STRANGER)] == [True, False, True]


@pytest.mark.parametrize("share", [ALIZES, GREETER])
def test_a_node_that_moves_away_is_served_until_the_other_gateway_knows(share):
    world = World(share)
    world.estate = estate(PLACES | {FIRST: "bruyeres"})
    world.look()
    assert world.keeper.takes(FIRST)
    assert share.strangers or world.filters() == of(FIRST, SECOND)
    assert not world.keeper.is_own(FIRST)
    world.now_s += HANDOVER_S
    assert world.look()
    assert share.strangers or world.filters() == of(SECOND)
    assert world.keeper.takes(FIRST) is not share.strangers


def test_a_node_that_comes_back_during_the_handover_stays():
    world = World(ALIZES)
    world.estate = estate(PLACES | {FIRST: "bruyeres"})
    world.look()
    world.estate = estate(PLACES)
    world.look()
    world.now_s += 2 * HANDOVER_S
    world.look()
    assert world.filters() == of(FIRST, SECOND)


def test_a_node_that_comes_is_served_at_once():
    world = World(ALIZES)
    world.estate = estate(PLACES | {THIRD: "alizes"})
    assert world.look()
    assert world.filters() == of(FIRST, SECOND, THIRD)


def test_a_placement_that_begins_later_counts_when_it_begins():
    world = World(ALIZES, estate({FIRST: "alizes"}, since_s=NOON_S + 30))
    assert world.filters() == set()
    world.now_s += 29
    assert not world.look()
    world.now_s += 1
    assert world.look()
    assert world.filters() == of(FIRST)


def test_a_clock_that_is_set_after_the_start_counts():
    world = World(ALIZES)
    world.now_s = 0.0
    world.look()
    world.now_s = float(NOON_S)
    world.look()
    assert world.filters() == of(FIRST, SECOND)


def test_what_the_broker_remembers_of_a_moved_node_is_kept():
    """Nobody else may have got it; the subscription alone is ended."""
    assert World(ALIZES).keeper.takes(THIRD)


def test_a_site_that_the_estate_lacks_is_told_until_it_is_there():
    world = World(Share.of(("alizes", "mill"), strangers=False))
    assert world.keeper.problem() == "share.sites: 'mill' is no site of the estate"
    mill = Site(id="mill", name="Mill")
    world.estate = Estate(sites=(*world.estate.sites, mill), nodes=world.estate.nodes)
    world.look()
    assert world.keeper.problem() is None


def checked(folder: Path, sites: str) -> int:
    node = f'[[node]]\nid = "{FIRST}"\n[[node.placement]]\nroom = "alizes/hall"\n'
    (folder / "estate.toml").write_text(
        '[[site]]\nid = "alizes"\nname = "A"\n[[site.building]]\nid = "m"\nname = "M"\n'
        f'[[site.building.room]]\nid = "hall"\nname = "H"\n{node}since = 2026-01-01T00:00:00Z\n'
    )
    (folder / "preau.toml").write_text(f"[share]\nsites = {sites}\n")
    return run(["check", "--settings", str(folder / "preau.toml")])


def test_check_tells_the_share(tmp_path, capsys):
    assert checked(tmp_path, '["alizes"]') == 0
    assert "share: 1 of 1 nodes, at alizes" in capsys.readouterr().out


def test_check_refuses_a_site_that_the_estate_lacks(tmp_path, capsys):
    assert checked(tmp_path, '["alizes", "mill"]') == 2
    told = capsys.readouterr().err
    assert told.strip() == "settings: share.sites: 'mill' is no site of the estate"


def test_two_gateways_of_one_share_have_the_same_client_id_and_others_do_not():
    ids = [
        client_id_of(ShareSettings()),
        client_id_of(ShareSettings(sites=("alizes",), strangers=True)),
        client_id_of(ShareSettings(sites=("alizes", "dunes"))),
        client_id_of(ShareSettings(sites=("bruyeres",))),
    ]
    assert ids == [
        "preau-gateway",
        "preau-gateway",
        "preau-gateway-alizes",
        "preau-gateway-bruyeres",
    ]
