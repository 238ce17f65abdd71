"""Shares of an estate: however the sites are split, every node has exactly one gateway."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ingest.estate.model import Building, Estate, Node, Placement, Room, Site
from ingest.estate.share import Share

SITES = ("alizes", "bruyeres", "cedres", "dunes")
NODES = tuple(f"3c71bf4a{number:04x}" for number in range(0, 24, 4))
STRANGER = "f0f0f0f0f0f0"
WHOLE = Share()


def at(second: int) -> datetime:
    return datetime.fromtimestamp(1_790_000_000 + second, UTC)


def ms(second: float) -> int:
    return round((1_790_000_000 + second) * 1000)


def site(name: str) -> Site:
    return Site(id=name, name=name, building=(Building(id="main", name="m", room=(room(),)),))


def room() -> Room:
    return Room(id="hall", name="Hall")


def node(name: str, *stays: tuple[str, int, int | None]) -> Node:
    return Node(
        id=name,
        placement=tuple(
            Placement(room=f"{place}/hall", since=at(since), until=until and at(until))
            for place, since, until in stays
        ),
    )


def nobody(_node: str) -> bool:
    return False


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """Nodes that move between sites, rest in a cupboard, or were never placed."""
    nodes = []
    for name in NODES:
        bounds = draw(st.lists(st.integers(0, 100), unique=True, max_size=4).map(sorted))
        stays = []
        for position, since in enumerate(bounds):
            later = bounds[position + 1] if position + 1 < len(bounds) else 120
            until = draw(st.none() | st.integers(since + 1, max(since + 1, later)))
            stays.append((draw(st.sampled_from(SITES)), since, until))
        nodes.append(node(name, *stays))
    return Estate(sites=tuple(map(site, SITES)), nodes=tuple(nodes))


@st.composite
def splits(draw: st.DrawFn) -> list[Share]:
    """All sites dealt out to some gateways, one of which takes the strangers."""
    owners = draw(st.lists(st.integers(0, 3), min_size=len(SITES), max_size=len(SITES)))
    lists = [
        tuple(name for name, owner in zip(SITES, owners, strict=True) if owner == number)
        for number in sorted(set(owners))
    ]
    greeter = draw(st.integers(0, len(lists) - 1))
    return [Share.of(sites, strangers=n == greeter) for n, sites in enumerate(lists)]


@given(estates(), splits(), st.integers(-10, 130))
def test_every_node_is_served_by_exactly_one_gateway(estate, shares, second):
    for name in (*NODES, STRANGER):
        assert sum(share.serves(estate, name, ms(second)) for share in shares) == 1


@given(estates(), splits(), st.integers(-10, 130))
def test_the_parts_are_the_declared_nodes_split_up(estate, shares, second):
    parts = [share.part(estate, ms(second)) for share in shares]
    assert sorted(name for part in parts for name in part.own) == sorted(NODES)
    assert all(part.own | part.others == set(NODES) for part in parts)
    assert all(not part.own & part.others for part in parts)


@given(estates(), splits(), st.integers(-10, 130), st.floats(0, 1, exclude_max=True))
def test_a_part_holds_until_it_says(estate, shares, second, share_of_time):
    now_ms = ms(second)
    for share in shares:
        part = share.part(estate, now_ms)
        end_ms = part.until_ms if part.until_ms is not None else now_ms + 10**9
        later_ms = now_ms + int((end_ms - now_ms) * share_of_time)
        assert share.part(estate, later_ms).own == part.own


def test_without_sites_a_gateway_serves_everybody():
    estate = Estate(sites=(site("alizes"),), nodes=(node(NODES[0], ("alizes", 0, None)),))
    whole = Share.of((), strangers=False)
    assert whole.serves(estate, NODES[0], ms(1))
    assert whole.serves(estate, STRANGER, ms(1))
    assert whole.view(estate, nobody) is estate


def test_sites_that_the_estate_does_not_have_are_named():
    estate = Estate(sites=(site("alizes"),))
    assert Share.of(("zoo", "alizes", "mill"), strangers=False).unknown_sites(estate) == [
        "mill",
        "zoo",
    ]
    assert Share().unknown_sites(estate) == []


def test_pages_show_the_own_rooms_and_the_nodes_that_they_concern():
    moved, away, new, loose = NODES[:4]
    estate = Estate(
        sites=(site("alizes"), site("bruyeres")),
        nodes=(
            node(moved, ("alizes", 0, None), ("bruyeres", 50, None)),
            node(away, ("bruyeres", 0, None)),
            node(new, ("alizes", 0, None)),
            node(loose),
        ),
    )
    sites_only = Share.of(("alizes",), strangers=False).view(estate, nobody)
    assert [place.ref for place in sites_only.rooms()] == ["alizes/hall"]
    assert [one.id for one in sites_only.nodes] == [moved, new]
    assert sites_only.placement(moved, ms(60)) == "bruyeres/hall", "it is not to be placed again"
    with_strangers = Share.of(("alizes",), strangers=True).view(estate, nobody)
    assert [one.id for one in with_strangers.nodes] == [moved, new, loose]
    heard = Share.of(("alizes",), strangers=False).view(estate, {away}.__contains__)
    assert [one.id for one in heard.nodes] == [moved, away, new]
