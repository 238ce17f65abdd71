"""Runs a coroutine from a command until it ends, or until SIGINT or SIGTERM asks it to."""

import asyncio
import signal
from collections.abc import Coroutine

from ingest.errors import PreauError


def run_until_stopped(main: Coroutine[object, object, None]) -> None:
    """Run `main`; a signal cancels it and counts as a clean end.

    Raises the first `PreauError` of a group by itself, so that it prints as one line.
    """
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
    except BaseExceptionGroup as group:
        raise _first_of_ours(group) from group


def _first_of_ours(group: BaseExceptionGroup[BaseException]) -> BaseException:
    ours = group.subgroup(PreauError)
    found: BaseException = ours if ours is not None else group
    while isinstance(found, BaseExceptionGroup):
        if ours is None:
            return group
        found = found.exceptions[0]
    return found
