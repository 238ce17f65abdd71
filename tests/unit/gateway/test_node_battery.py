"""The estimate of a battery's life: by hand, and as the command prints it."""

import json
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.commands.node_battery import estimate
from ingest.store.writer import PresenceToStore, StoreWriter

NODE = "3c71bf4a2b10"
SAID = {
    "online": False,
    "asleep": True,
    "next_wake": 1_763_803_600,
    "awake_ms": 3000,
    "radio_ms": 2000,
}


def test_a_day_is_added_up_as_by_hand() -> None:
    result = estimate(
        capacity_mah=1000,
        every_s=600,
        wifi_every=6,
        awake_s=1,
        radio_s=3,
        sleep_ma=0.1,
        awake_ma=36,
        radio_ma=120,
    )
    # 144 wakes of 1 s at 36 mA; 24 times 3 s at 120 mA; the rest of the day at 0.1 mA.
    assert result.awake_mah == pytest.approx(1.44)
    assert result.radio_mah == pytest.approx(2.4)
    assert result.sleeping_mah == pytest.approx((86_400 - 144 - 72) * 0.1 / 3600)
    assert result.lost_mah == pytest.approx(1000 * 0.02 / 30)
    assert result.days == pytest.approx(800 / (1.44 + 2.4 + 2.394 + 0.6667), rel=1e-3)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "preau.toml"
    file.write_text('[data]\ndir = "data"\n')
    return file


def test_it_rests_on_what_the_node_measured(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StoreWriter(settings.parent / "data") as store:
        store.save_presences([PresenceToStore(NODE, 0, json.dumps(SAID))])
    assert run(["node", "battery", NODE, "--settings", str(settings), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    # 24 times 2 s at 130 mA, 144 times 1 s at 45 mA.
    assert answer["radio_mah"] == pytest.approx(24 * 2 * 130 / 3600)
    assert answer["awake_mah"] == pytest.approx(144 * 45 / 3600)
    assert run(["node", "battery", NODE, "--settings", str(settings)]) == 0
    assert "about 290 days (0.8 years) on 2600 mAh" in capsys.readouterr().out


def test_a_node_that_never_slept_has_none(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["node", "battery", NODE, "--settings", str(settings)]) == 2
    assert "has not told how long it was awake" in capsys.readouterr().err
