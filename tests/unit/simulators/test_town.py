"""The demo town shows what a real one would: good rooms, a stuffy one, a cold one."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from simulators.town import demo_town

PARIS = ZoneInfo("Europe/Paris")
A_WEEK_OF_CLASS = [
    datetime(2026, 11, day, hour, minute, tzinfo=PARIS).timestamp()
    for day in (16, 17, 19, 20)
    for hour in (9, 10, 11, 14, 16)
    for minute in (0, 25)
]


@pytest.fixture(scope="module")
def rooms():
    return {room.ref: room.model for room in demo_town(1).rooms}


def values(model, quantity: str) -> list[float]:
    return [getattr(model.state_at(unix_s), quantity) for unix_s in A_WEEK_OF_CLASS]


def test_it_has_two_schools_of_eight_and_four_rooms_with_a_node_each():
    town = demo_town()
    assert [
        len([r for r in town.rooms if r.ref.startswith(site)]) for site in ("prevert", "tilleuls")
    ] == [8, 4]
    assert len({room.node for room in town.rooms}) == 12
    assert all(room.node.startswith("3c71bf") for room in town.rooms)
    assert len(town.estate.nodes) == 12


def test_one_classroom_is_stuffy_and_most_are_not(rooms):
    stuffy = {ref for ref, model in rooms.items() if max(values(model, "co2_ppm")) > 2000}
    assert "prevert/cm1" in stuffy
    fresh = {ref for ref, model in rooms.items() if max(values(model, "co2_ppm")) < 1500}
    assert len(fresh) >= 6


def test_one_classroom_is_cold_on_monday_morning(rooms):
    monday_s = datetime(2026, 11, 16, 8, 45, tzinfo=PARIS).timestamp()
    temperatures = {ref: model.state_at(monday_s).temperature_c for ref, model in rooms.items()}
    assert temperatures["prevert/ce1-ce2"] < 17
    assert temperatures["prevert/cp"] > 18.5


def test_copies_of_the_town_have_sites_nodes_and_people_of_their_own():
    town = demo_town(1, copies=3)
    assert len(town.rooms) == 36
    assert len({room.node for room in town.rooms}) == 36
    assert all(town.estate.placement(r.node, 1_795_000_000_000) == r.ref for r in town.rooms)
    monday_s = A_WEEK_OF_CLASS[3]
    one, copy = (
        town.air.room(f"{site}/cp").state_at(monday_s) for site in ("prevert", "prevert-2")
    )
    assert one != copy
    assert one == demo_town(1).air.room("prevert/cp").state_at(monday_s)
