"""How long a node waits before it connects again, what it joins, and when it feeds the watchdog."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from simulators.board.bus import Wire
from simulators.board.program import SOURCES, STAND_INS, Program
from tests.unit.firmware.micropython import CHECKS, run_micropython


async def seen(what: str, folder: Path, wire: Wire, **config: Any) -> Any:
    """With the sources as they stand: the script looks at what is private."""
    (folder / "config.json").write_text(json.dumps(config))
    printed = await asyncio.to_thread(
        run_micropython,
        *(Program(SOURCES, STAND_INS, ""), folder, CHECKS / "in_time.py", what),
        heap="512k",
        BOARD_WIRE=str(wire.port),  # type: ignore[attr-defined]
        BOARD_NODE="3c71bf4a2b10",
        BOARD_RTC_MEMORY=str(wire.chip.rtc_memory),  # type: ignore[attr-defined]
        PORT=str(STAND_INS),
    )
    return json.loads(next(line[1:] for line in printed.splitlines() if line.startswith("=")))


async def test_it_backs_off_to_five_minutes_with_jitter_and_begins_again_once_served(
    wire: Wire, tmp_path: Path
) -> None:
    pauses_ms = await seen("backoff", tmp_path, wire)
    doubled = [1_000 * 2**number for number in range(9)] + [300_000] * 4
    assert all(most // 2 <= pause <= most for most, pause in zip(doubled, pauses_ms, strict=False))
    # The fourteenth attempt was served.
    assert 500 <= pauses_ms[13] <= 1_000
    assert 1_000 <= pauses_ms[14] <= 2_000
    # Two nodes of a school do not return in step.
    again_ms = await seen("backoff", tmp_path, wire)
    assert sum(one != other for one, other in zip(pauses_ms, again_ms, strict=False)) > 10


@pytest.mark.parametrize(
    ("ssids", "tried", "told"),
    [
        (["elsewhere", "preau", "beyond"], ["elsewhere", "preau"], None),
        (["elsewhere", "beyond"], ["elsewhere", "beyond"], "no Wi-Fi of 2 known"),
    ],
)
async def test_networks_are_tried_in_their_order_for_twenty_seconds_each(
    wire: Wire, tmp_path: Path, ssids: list[str], tried: list[str], told: str | None
) -> None:
    wifi = [{"ssid": ssid, "password": "none needed"} for ssid in ssids]
    found, joined, error = await seen("networks", tmp_path, wire, wifi=wifi)
    assert [ssid for ssid, _ in found] == tried
    assert 20_000 <= found[1][1] - found[0][1] <= 20_100
    assert (joined, error) == (told is None, told)


async def test_the_watchdog_is_fed_only_while_samples_are_taken_and_the_link_is_tried(
    wire: Wire, tmp_path: Path
) -> None:
    well, no_samples, no_link = await seen("watch", tmp_path, wire)
    assert well == 2_400 // 2 + 1
    # A minute more than the interval of one; and a quarter of an hour.
    assert no_samples == 120 // 2
    assert no_link == 900 // 2
