"""The pages as a browser without scripts gets them."""

import json
import re
from html.parser import HTMLParser

from aiohttp.test_utils import TestClient, TestServer

from tests.unit.web.town import (
    MINUTE_MS,
    NODES,
    NOW_MS,
    NURSERY,
    SCHOOL,
    STRAY,
    Client,
    TownService,
    air,
    estate_text,
    pack,
)

ROOM = "/salles/jules-ferry/tilleuls"


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    return " ".join(" ".join(parser.parts).split())


def card(html: str, ref: str) -> str:
    found = re.search(rf'<li class="card[^>]*data-key="room-{ref}">.*?</li>', html, re.DOTALL)
    assert found is not None, ref
    return text_of(found[0])


async def get(client: Client, path: str, status: int = 200, accept: str = "") -> str:
    async with client.get(path, headers={"Accept-Language": accept}) as answer:
        assert answer.status == status
        return await answer.text()


async def test_the_overview_shows_every_room_in_words(client: Client) -> None:
    html = await get(client, "/")
    for site, rooms in (("jules-ferry", SCHOOL), ("pasteur", NURSERY)):
        for id_, name, _ in rooms:
            assert name in card(html, f"{site}/{id_}")
    assert "Bon" in card(html, "jules-ferry/tilleuls")
    assert "19,4 °C" in card(html, "jules-ferry/tilleuls")
    assert "712 ppm" in card(html, "jules-ferry/tilleuls")
    assert "il y a 1 min" in card(html, "jules-ferry/tilleuls")
    assert "À aérer" in card(html, "jules-ferry/erables")
    assert "Aérer vite" in card(html, "jules-ferry/chenes")
    assert "Froid" in card(html, "jules-ferry/bouleaux")
    assert "Chaud" in card(html, "jules-ferry/marronniers")
    assert "Silencieux depuis 42 min" in card(html, "jules-ferry/maitres")
    assert "Pas encore mesuré" in card(html, "pasteur/dortoir")
    assert "5 salles sur 12 vont bien." in text_of(html)
    assert 'title="mar. 6 janvier 2026 à 10:39:00"' in html


async def test_a_node_nobody_placed_is_listed(client: Client) -> None:
    listed = text_of((await get(client, "/")).partition('data-key="unplaced"')[2])
    assert STRAY in listed
    assert "18,2 °C · 505 ppm · 41 %" in listed


async def test_a_group_can_be_picked(client: Client) -> None:
    html = await get(client, "/?etat=air")
    assert set(re.findall(r'data-key="room-([^"]+)"', html)) == {
        "jules-ferry/erables",
        "jules-ferry/chenes",
        "pasteur/grande",
    }


async def test_the_page_speaks_english_when_asked_and_remembers(client: Client) -> None:
    assert "5 rooms of 12 are fine." in await get(client, "/", accept="en")
    html = await get(client, "/?lang=en")
    assert '<html lang="en">' in html
    assert "Silent for 42 min" in html
    assert '<html lang="en">' in await get(client, "/", accept="fr")


async def test_the_room_page_shows_values_advice_table_and_node(client: Client) -> None:
    html = await get(client, "/salles/jules-ferry/chenes")
    text = text_of(html)
    assert "ouvrez grand les fenêtres" in text
    assert "1 846 ppm" in text
    assert f"Capteur {NODES['jules-ferry/chenes']}" in text
    assert "logiciel 1.0.0" in text
    assert "mar. 6 janvier, 10:00" in text
    assert "CO₂ : de" in text
    data = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert data is not None
    assert len(json.loads(data[1])["panels"]) == 3


async def test_a_cool_room_after_school_is_not_told_to_be_right_for_work(
    town: TownService,
) -> None:
    hours = '[site.hours]\ntue = ["08:30-10:00"]\n[[site.building]]'
    town.declare(estate_text().replace("[[site.building]]", hours, 1))
    async with TestClient(TestServer(town.app())) as client:
        text = text_of(await get(client, "/salles/jules-ferry/bouleaux"))
    assert "Bon" in text
    assert "À cette heure la salle est vide" in text


async def test_every_period_has_its_page(client: Client) -> None:
    for period in ("24h", "7d", "30d", "1y", "nonsense"):
        assert "Évolution" in await get(client, f"{ROOM}?periode={period}")


async def test_a_room_without_readings_has_a_page(client: Client) -> None:
    assert "Aucune mesure sur cette période." in await get(client, "/salles/pasteur/dortoir")


async def test_what_does_not_exist_says_so(client: Client) -> None:
    assert "« jules-ferry/&lt;b&gt; »" in await get(client, "/salles/jules-ferry/%3Cb%3E", 404)
    assert "Rien ne se trouve" in await get(client, "/nowhere", 404)


async def test_names_from_the_estate_are_escaped(town: TownService) -> None:
    text = (town.folder / "estate.toml").read_text()
    town.declare(text.replace("Salle des Tilleuls", "<script>alert(1)</script>&"))
    async with TestClient(TestServer(town.app())) as client:
        for path in ("/", ROOM):
            html = await get(client, path)
            assert "<script>alert" not in html
            assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in html


async def test_a_piece_is_what_stands_in_its_page(client: Client) -> None:
    for path, piece in (("/", "/fragments/town"), (ROOM, f"/fragments{ROOM}")):
        assert (await get(client, piece)).strip() in await get(client, path)


async def test_a_piece_that_has_not_changed_is_not_sent_again(
    client: Client, town: TownService
) -> None:
    async with client.get("/fragments/town") as first:
        tag = first.headers["ETag"]
    async with client.get("/fragments/town", headers={"If-None-Match": tag}) as again:
        assert again.status == 304
    town.now_ms += 1000
    town.take([pack(NODES["jules-ferry/tilleuls"], NOW_MS, air(23.9, 45, 700))])
    async with client.get("/fragments/town?etat=good", headers={"If-None-Match": tag}) as fresh:
        assert "23,9" in await fresh.text()


async def test_a_change_of_the_estate_shows_at_once(client: Client, town: TownService) -> None:
    await get(client, "/")
    text = (town.folder / "estate.toml").read_text()
    town.declare(text.replace("Salle des Tilleuls", "Salle du Préau"))
    assert "Salle du Préau" in await get(client, "/")


async def test_a_late_reading_is_not_taken_for_the_latest(
    client: Client, town: TownService
) -> None:
    node = NODES["jules-ferry/tilleuls"]
    late = pack(node, NOW_MS - 90 * MINUTE_MS - 7000, air(5, 45, 700))
    town.take([late._replace(received_at_ms=NOW_MS)])
    assert "19,4 °C" in card(await get(client, "/"), "jules-ferry/tilleuls")


async def test_a_failing_service_says_so_on_the_page(town: TownService) -> None:
    town.health.broker_connected = False
    town.health.problems["store"] = "no room left on /data"
    async with TestClient(TestServer(town.app())) as client:
        text = text_of(await get(client, "/"))
    assert "Le serveur de messages n’est pas joignable" in text
    assert "no room left on /data" in text


async def test_a_town_without_rooms_tells_what_to_do(empty_town: TownService) -> None:
    empty_town.declare('name = "Trilport"\n')
    async with TestClient(TestServer(empty_town.app())) as client:
        assert "Aucune salle n’est encore déclarée." in await get(client, "/")


async def test_a_node_of_which_everything_was_refused_does_not_hide_the_rest(
    town: TownService,
) -> None:
    town.take([pack("3c71bf4a2bee", NOW_MS, [("smell", "Cel", 1.0)])])
    async with TestClient(TestServer(town.app())) as client:
        assert "5 salles sur 12" in await get(client, "/")
