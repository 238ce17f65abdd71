"""What a node says of its CO2 sensors, on its room's page, on its own, and over the API."""

import json

import pytest

from gateway.co2_sensors import model_of
from gateway.nodes import Co2Report, decode_presence, encode_presence
from ingest.errors import PackError
from tests.unit.web.town import NODES, NOW_MS, STRAY, Client, TownService, estate_text

NODE = NODES["jules-ferry/tilleuls"]
CALIBRATED_S = 1_763_800_000
# As `sensor_report.describe` of the firmware gives it.
CO2 = [
    {"sensor": "scd4x@0x62", "abc": False, "calibrated_at": CALIBRATED_S, "calibrated_ppm": 420},
    {"sensor": "s8@uart2", "abc": True},
    {"sensor": "mhz19@uart1", "abc": None},
]


def say(town: TownService, node: str, co2: object = CO2) -> None:
    payload = json.dumps({"online": True, "hello": "9f31", "co2": co2}).encode()
    town.nodes.take(decode_presence(payload, node, NOW_MS))


def with_model(model: str) -> str:
    declared = f'[[node]]\nid = "{NODE}"\n'
    assert declared in estate_text()
    return estate_text().replace(declared, f'{declared}model = "{model}"\n')


async def page(client: Client, path: str, language: str) -> str:
    async with client.get(path, headers={"Accept-Language": language}) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_the_room_says_model_correction_and_calibration(
    town: TownService, client: Client
) -> None:
    say(town, NODE)
    french = await page(client, "/salles/jules-ferry/tilleuls", "fr")
    assert "<b>Sensirion SCD40/SCD41</b> · correction automatique (ABC) désactivée" in french
    assert "dernier étalonnage le sam. 22 novembre 2025, à 420\N{NO-BREAK SPACE}ppm" in french
    assert (
        "<b>SenseAir S8</b> · correction automatique (ABC) activée · dernier étalonnage : jamais"
        in (french)
    )
    assert "correction automatique (ABC) : état inconnu" in french
    english = await page(client, "/salles/jules-ferry/tilleuls", "en")
    assert "automatic baseline correction off · last calibrated on " in english
    assert "automatic baseline correction on · last calibration: never" in english
    assert "automatic baseline correction: not known" in english


async def test_a_chip_specified_to_2000_ppm_gets_a_remark_and_no_other(
    town: TownService, client: Client
) -> None:
    say(town, NODE, CO2[2:])
    assert "fabricant" not in await page(client, "/salles/jules-ferry/tilleuls", "fr")
    say(town, STRAY, CO2[1:2])
    french = await page(client, f"/n/{STRAY}", "fr")
    assert "Son fabricant le prévoit jusqu’à 2\N{NARROW NO-BREAK SPACE}000" in french
    assert "Its maker specifies it up to 2,000" in await page(client, f"/n/{STRAY}", "en")


@pytest.mark.parametrize(
    ("board", "name", "most"),
    [
        (None, "Sensirion SCD40/SCD41", 2000),
        ("ESP32-C3, scd41", "Sensirion SCD41", 5000),
        ("ESP32 + SCD40", "Sensirion SCD40", 2000),
        ("SCD40 or SCD41", "Sensirion SCD40/SCD41", 2000),
    ],
)
def test_the_estate_may_say_which_of_two_it_is(board: str | None, name: str, most: int) -> None:
    model = model_of(Co2Report(sensor="scd4x@0x62"), board)
    assert (model.name, model.specified_to_ppm) == (name, most)


async def test_the_estate_answers_the_remark(town: TownService, client: Client) -> None:
    say(town, NODE, CO2[:1])
    path = "/salles/jules-ferry/tilleuls"
    assert "inscrit sur la puce (SCD40 2" in await page(client, path, "fr")
    town.declare(with_model("ESP32, SCD41"))
    french = await page(client, path, "fr")
    assert "<b>Sensirion SCD41</b>" in french
    assert "inscrit sur la puce" not in french


async def test_the_api_tells_them_too(town: TownService, client: Client) -> None:
    say(town, NODE)
    async with client.get(f"/api/v1/nodes?node={NODE}") as answer:
        (node,) = (await answer.json())["nodes"]
    assert node["id"] == NODE
    first, second, third = node["co2"]
    assert first == {
        "sensor": "scd4x@0x62",
        "model": "Sensirion SCD40/SCD41",
        "specified_to_ppm": 2000,
        "abc": False,
        "calibrated_at": "2025-11-22T08:26:40Z",
        "calibrated_ppm": 420,
    }
    assert (second["abc"], second["calibrated_at"]) == (True, None)
    assert (third["abc"], third["specified_to_ppm"]) == (None, 5000)


async def test_an_unknown_chip_is_named_as_the_node_names_it(
    town: TownService, client: Client
) -> None:
    say(town, NODE, [{"sensor": "<b>new</b>@1"}])
    html = await page(client, "/salles/jules-ferry/tilleuls", "fr")
    assert "<b>&lt;b&gt;new&lt;/b&gt;</b>" in html


def test_they_outlast_a_restart_and_a_sleep(town: TownService) -> None:
    say(town, NODE)
    said = town.nodes.get(NODE)
    assert said is not None
    assert decode_presence(encode_presence(said), NODE, NOW_MS).co2 == said.co2
    asleep = b'{"online": false, "asleep": true, "next_wake": 1763803600}'
    assert town.nodes.take(decode_presence(asleep, NODE, NOW_MS)).co2 == said.co2


@pytest.mark.parametrize(
    "co2",
    [[{"abc": True}], [{"sensor": 1}], [{"sensor": "x", "calibrated_at": 2**40}], {}, [{}] * 99],
)
def test_what_is_no_report_is_a_bad_presence(co2: object) -> None:
    with pytest.raises(PackError, match="no presence"):
        decode_presence(json.dumps({"online": True, "co2": co2}).encode(), NODE, NOW_MS)
