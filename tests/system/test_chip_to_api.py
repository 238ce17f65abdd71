"""The whole way: virtual chips, firmware in MicroPython, Mosquitto, gateway, store, API."""

import time
from datetime import datetime
from pathlib import Path

from simulators.board.board import VirtualBoard
from tests.gateway import Gateway
from tests.servers import Server, eventually, require_micropython, running

NODE = "3c71bf4a2b10"
ESTATE = f"""
[[site]]
id = "jules-ferry"
name = "École Jules-Ferry"
[[site.building]]
id = "main"
name = "Bâtiment principal"
[[site.building.room]]
id = "cp-a"
name = "CP A"
profile = "classroom"

[[node]]
id = "{NODE}"
[[node.placement]]
room = "jules-ferry/cp-a"
since = 2024-09-01
"""


async def test_what_the_chips_hold_is_what_the_api_answers(mosquitto: Server, tmp_path: Path):
    """To the chips' resolution, with the times of measuring, by node and by room."""
    require_micropython()
    started_s = int(time.time())
    with running(Gateway(tmp_path / "gateway", mosquitto.port, estate=ESTATE)) as gateway:
        broker = ("127.0.0.1", mosquitto.port)
        async with VirtualBoard(NODE, tmp_path / "board", broker, interval_s=2) as board:
            board.chips.sht4x.temperature_c = 21.37
            board.chips.sht4x.humidity_percent = 48.2
            board.chips.scd4x.co2_ppm = 873

            async def measured(quantity: str) -> list[dict]:
                answer = await gateway.get("/api/v1/readings", node=NODE, quantity=quantity)
                (series,) = answer["series"] or [None]
                return series["readings"] if series else []

            await eventually(lambda: measured("co2"), 60, what="no CO2 arrived")
            await eventually(lambda: measured("temperature"), 60)
            by_quantity = {q: await measured(q) for q in ("temperature", "humidity", "co2")}
            by_room = await gateway.get(
                "/api/v1/readings", room="jules-ferry/cp-a", quantity="temperature"
            )
            (node,) = (await gateway.get("/api/v1/nodes", node=NODE))["nodes"]
    ended_s = time.time()
    # SHT4x: 175/65535 K a step, rounded by the node to 0.01 K; 125/65535 % to 0.1 %.
    assert abs(by_quantity["temperature"][-1]["value"] - 21.37) <= 0.01
    assert abs(by_quantity["humidity"][-1]["value"] - 48.2) <= 0.1
    assert by_quantity["co2"][-1]["value"] == 873
    for readings in by_quantity.values():
        for reading in readings:
            at_s = datetime.fromisoformat(reading["measured_at"]).timestamp()
            assert started_s <= at_s <= ended_s
    assert by_room["series"][0]["node"] == NODE
    # As the chip comes: it corrects its baseline, and nobody has calibrated it.
    assert [(one["sensor"], one["abc"], one["calibrated_at"]) for one in node["co2"]] == [
        ("scd4x@0x62", True, None)
    ]
