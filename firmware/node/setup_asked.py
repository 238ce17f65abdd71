"""When the set-up network is opened: when nothing is configured, and when a long press asks for it.

Loaded where one of these can be, and held. Whatever goes wrong here, the node goes on.
"""

import asyncio

import machine
import seldom
from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import AnyApp

_TICK_MS = const(200)
# The first of them is the moment it is pressed.
_LONG_PRESS_TICKS = const(16)
_TRIES_MAX = const(5)
_AGAIN_MS = const(10_000)


def _find_button(number: int | None) -> machine.Pin | None:
    """The pin of the button, which a press connects to ground, or None."""
    if number is None:
        return None
    pin = machine.Pin
    try:
        try:
            return pin(number, pin.IN, pin.PULL_UP)
        except ValueError:
            # 34 to 39 have no pull-up: there it is soldered on.
            return pin(number, pin.IN)
    except (ValueError, TypeError) as error:
        note("set-up: button {!r} refused: {}".format(number, error))
        return None


async def _long_press(button: machine.Pin, held: int = 0) -> None:
    """Returns three seconds after it was pressed. With `held` -1 it must be let go before that."""
    while held < _LONG_PRESS_TICKS:
        await asyncio.sleep_ms(_TICK_MS)
        if button.value():
            held = 0
        elif held >= 0:
            held += 1


async def _open_now(app: AnyApp) -> None:
    """Returns when the network is closed again, or could not be opened five times."""
    for _ in range(_TRIES_MAX):
        try:
            await seldom.wait("portal", "run", app)
            return
        except Exception as error:  # The task's outer edge: the node must not end with it.
            note("set-up: not opened:", repr(error))
        await asyncio.sleep_ms(_AGAIN_MS)


async def wait(app: AnyApp) -> None:
    """Opens it now where nothing is configured, then at each long press; ends where there is no
    button.
    """
    wanted = not app.settings.configured
    button = _find_button(app.settings.button)
    held = 0
    while True:
        if wanted:
            await _open_now(app)
            # A button that is stuck must not open it again and again.
            held = -1
        if button is None:
            return
        await _long_press(button, held)
        wanted = True
