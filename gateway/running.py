"""Runs a coroutine from a command until it ends, or until SIGINT or SIGTERM asks it to."""

import asyncio
import signal
from collections.abc import Coroutine


def run_until_stopped(main: Coroutine[object, object, None]) -> None:
    """Run `main`; a signal cancels it and counts as a clean end. Raises what `main` raises."""
    asyncio.run(_run(main))


async def _run(main: Coroutine[object, object, None]) -> None:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
