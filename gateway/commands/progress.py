"""How long work on many parts tells how far it is: a bar on a terminal, else nothing or lines."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def told_parts(
    label: str, *, lines_every_s: float | None = None
) -> Iterator[Callable[[int, int], None]]:
    """A function to be told how many parts are done, of how many; these may only be known then.

    Work of an hour may ask for a line now and then where there is no terminal: some CI servers end
    a job that says nothing.
    """
    screen = sys.stderr
    if lines_every_s is not None and not screen.isatty():
        yield _in_lines(label, lines_every_s)
        return
    with click.progressbar(
        length=1, label=label, file=screen, hidden=not screen.isatty(), show_pos=True
    ) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield tell
        bar.update((bar.length or 0) - bar.pos)


def _in_lines(label: str, every_s: float) -> Callable[[int, int], None]:
    told_s = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if now_s - told_s >= every_s:
            told_s = now_s
            click.echo(f"{label}: {100 * done // max(total, 1)} %", err=True)

    return tell
