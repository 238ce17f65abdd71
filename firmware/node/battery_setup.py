"""The set-up network of a node on batteries, where `setup_asked` watches a node on mains. Loaded at
a wake that may ask for it, and dropped.

It is opened when the batteries are put in and nothing is configured, and when the button is held
for three seconds at a wake. Each time once: neither a node that nobody sets up nor a button that is
stuck may empty the batteries.
"""
# ruff: noqa: SLF001 - `setup_asked` is the other half of it

import asyncio
import time

import seldom
from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from app import App

_SAMPLE_GRACE_MS = const(60_000)
_PRESS_MAX_MS = const(6_000)


async def look(app: App, powered: bool, was_held: bool, forget: Callable[[bool], None]) -> bool:
    """Whether the button is held. `powered` says that this is the first wake, `was_held` what the
    wake before found; `forget(held)` has the next wake send at once, as after a power-on.
    """
    asked = seldom.load("setup_asked")
    button = asked._find_button(app.settings.button)
    held = button is not None and not button.value()
    wanted = powered and not app.settings.configured
    if held and not was_held and not wanted:
        try:
            assert button is not None
            await asyncio.wait_for_ms(asked._long_press(button), _PRESS_MAX_MS)
            wanted = True
        except asyncio.TimeoutError:
            pass  # It was let go.
    if wanted:
        forget(held)
        await _open(app, asked)
    return held


async def _open(app: App, asked: Any) -> None:
    """Samples and feeds the watchdog meanwhile."""
    opened = asyncio.create_task(asked._open_now(app))
    interval_ms = app.settings.interval_s * 1000
    due_ms = time.ticks_add(time.ticks_ms(), interval_ms)
    while not opened.done():
        late_ms = time.ticks_diff(time.ticks_ms(), due_ms)
        if late_ms >= 0:
            try:
                await app.sample()
                due_ms = time.ticks_add(time.ticks_ms(), interval_ms)
            except Exception as error:  # As in the life on mains: the network must not end with it.
                note("sample: defect", repr(error))
        if late_ms < _SAMPLE_GRACE_MS:
            app.watchdog.feed()
        await asyncio.sleep_ms(500)
