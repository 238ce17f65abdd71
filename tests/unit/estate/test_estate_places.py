"""Where a node was when, and which nodes a room had: the same answer from either side."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingest.estate.model import Building, Estate, Node, Placement, Room, Site

BASE = datetime(2026, 9, 1, tzinfo=UTC)
BASE_MS = 1788220800_000
ROOMS = ["a/r1", "a/r2", "b/r1"]


def site(name: str, *rooms: str) -> Site:
    return Site(
        id=name,
        name=name,
        buildings=(
            Building(id="x", name="x", rooms=tuple(Room(id=room, name=room) for room in rooms)),
        ),
    )


def at(hours: int) -> datetime:
    return BASE + timedelta(hours=hours)


def ms(hours: int) -> int:
    return BASE_MS + hours * 3_600_000


def estate_of(*nodes: Node) -> Estate:
    return Estate(sites=(site("b", "r1"), site("a", "r2", "r1")), nodes=nodes)


def moved() -> Estate:
    """One node: hours 0 to 5 in a/r1, from 8 in b/r1; another in b/r1 from 2."""
    return estate_of(
        Node(
            id="00000000000a",
            placements=(
                Placement(room="b/r1", since=at(8)),
                Placement(room="a/r1", since=at(0), until=at(5)),
            ),
        ),
        Node(id="00000000000b", placements=(Placement(room="b/r1", since=at(2)),)),
        Node(id="00000000000c"),
    )


def test_rooms_come_in_the_order_of_the_file():
    assert [place.ref for place in moved().rooms()] == ["b/r1", "a/r2", "a/r1"]


def test_a_node_is_in_a_room_from_its_since_until_just_before_its_until():
    estate = moved()

    assert [estate.placement("00000000000a", ms(h)) for h in (-1, 0, 4, 5, 7, 8, 99)] == [
        None,
        "a/r1",
        "a/r1",
        None,
        None,
        "b/r1",
        "b/r1",
    ]
    assert estate.placement("00000000000a", ms(5) - 1) == "a/r1"


def test_a_placement_without_until_ends_with_the_next():
    node = Node(
        id="00000000000a",
        placements=(Placement(room="a/r1", since=at(0)), Placement(room="a/r2", since=at(3))),
    )

    assert estate_of(node).placements_of_room("a/r1") == (("00000000000a", "a/r1", ms(0), ms(3)),)


def test_a_room_knows_its_nodes_at_a_time():
    estate = moved()

    assert estate.nodes_of("b/r1", ms(3)) == ["00000000000b"]
    assert estate.nodes_of("b/r1", ms(9)) == ["00000000000a", "00000000000b"]
    assert estate.nodes_of("no/room", ms(9)) == []


def test_a_node_without_placement_or_without_declaration_is_nowhere():
    estate = moved()

    assert estate.placement("00000000000c", ms(3)) is None
    assert estate.placement("ffffffffffff", ms(3)) is None
    assert estate.node("00000000000c") is not None
    assert estate.node("ffffffffffff") is None


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    made = []
    for number in range(draw(st.integers(0, 4))):
        bounds = sorted(draw(st.sets(st.integers(0, 30), max_size=8)))
        placements = []
        for index in range(0, len(bounds) - 1, 2):
            is_last = index + 2 >= len(bounds)
            is_open = draw(st.booleans())
            until = None if is_open and is_last else at(bounds[index + 1])
            placements.append(
                Placement(room=draw(st.sampled_from(ROOMS)), since=at(bounds[index]), until=until)
            )
        made.append(Node(id=f"{number:012x}", placements=tuple(draw(st.permutations(placements)))))
    return made


@given(nodes(), st.integers(-1, 31))
def test_a_node_is_in_a_room_exactly_when_the_room_has_the_node(made, hour):
    estate = estate_of(*made)

    for node in made:
        room = estate.placement(node.id, ms(hour))
        assert [ref for ref in ROOMS if node.id in estate.nodes_of(ref, ms(hour))] == (
            [] if room is None else [room]
        )


@given(nodes(), st.integers(-1, 31))
def test_a_placement_is_the_one_whose_span_holds_the_time(made, hour):
    estate = estate_of(*made)

    for node in made:
        holding = [
            placement.room
            for placement in node.placements
            if placement.since <= at(hour)
            and (placement.until is None or at(hour) < placement.until)
        ]
        assert [estate.placement(node.id, ms(hour))] == (holding or [None])
