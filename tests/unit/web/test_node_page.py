"""Where the code on a label leads: to the room, wherever the node is now, or to what to do."""

import re

import pytest

from tests.unit.web.town import NODES, STRAY, Client, TownService, estate_text

NODE = NODES["jules-ferry/tilleuls"]
NEVER = "3c71bf4a2bfe"


@pytest.mark.parametrize("written", [NODE, NODE.upper(), "3C:71:BF:4A:2B:00", "3c-71-bf-4a-2b-00"])
async def test_a_placed_node_leads_to_its_room(client: Client, written: str) -> None:
    async with client.get(f"/n/{written}", allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["Location"] == "/salles/jules-ferry/tilleuls"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_node_that_moved_leads_to_its_new_room(town: TownService, client: Client) -> None:
    moved = 'since = 2025-09-01\n[[node.placement]]\nroom = "pasteur/petite"\nsince = 2026-01-05'
    first, rest = estate_text().split("since = 2025-09-01", 1)
    town.declare(first + moved + rest)
    async with client.get(f"/n/{NODE}", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/salles/pasteur/petite"


async def test_a_node_to_be_placed_says_what_it_measures_and_what_to_do(client: Client) -> None:
    async with client.get(f"/n/{STRAY}") as answer:
        html = await answer.text()
        assert answer.status == 200
    assert '<html lang="fr">' in html
    assert f"<h1>Capteur {STRAY}</h1>" in html
    assert "pas encore affecté à une salle" in html
    assert "il y a 2 min" in html or "il y a 3 min" in html
    assert "18,2" in html
    assert f"preau node place {STRAY} ÉCOLE/SALLE" in html


async def test_a_declared_node_that_never_spoke_is_to_be_powered(
    town: TownService, client: Client
) -> None:
    town.declare(estate_text(f'[[node]]\nid = "{NEVER}"\nname = "Près de la <porte>"\n'))
    async with client.get(f"/n/{NEVER}", headers={"Accept-Language": "en"}) as answer:
        html = await answer.text()
    assert "<h1>Près de la &lt;porte&gt;</h1>" in html
    assert "has not sent anything yet" in html
    assert f"preau node place {NEVER} SITE/ROOM" in html


async def test_a_node_out_of_service_says_so_and_is_no_longer_to_be_placed(
    town: TownService, client: Client
) -> None:
    town.declare(estate_text(f'[[node]]\nid = "{STRAY}"\nremoved = 2026-01-06T10:39:00\n'))
    async with client.get(f"/n/{STRAY}") as answer:
        assert "retiré du service le mar. 6 janvier 2026" in await answer.text()
    async with client.get("/") as answer:
        assert STRAY not in await answer.text()


async def test_a_node_that_speaks_after_its_removal_is_to_be_placed_again(
    town: TownService, client: Client
) -> None:
    town.declare(estate_text(f'[[node]]\nid = "{STRAY}"\nremoved = 2026-01-06T10:00:00\n'))
    async with client.get(f"/n/{STRAY}") as answer:
        assert "pas encore affecté" in await answer.text()
    async with client.get("/") as answer:
        assert STRAY in await answer.text()


@pytest.mark.parametrize(
    ("address", "said"),
    [(f"/n/{NEVER}", "ni déclaré"), ("/n/3c71bf", "Rien ne se trouve"), ("/n/<b>", "introuvable")],
)
async def test_what_is_no_node_here_is_not_found(client: Client, address: str, said: str) -> None:
    async with client.get(address) as answer:
        html = await answer.text()
        assert answer.status == 404
    assert said in html


async def test_the_page_is_marked_up_for_those_who_listen(client: Client) -> None:
    async with client.get(f"/n/{STRAY}") as answer:
        html = await answer.text()
    assert len(re.findall("<h1", html)) == 1
    assert re.search(r'<time datetime="2026-01-06T[^"]+" title="[^"]+">', html)
