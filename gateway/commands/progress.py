"""How long work on many parts tells how far it is: a bar on a terminal, and nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def told_parts(label: str) -> Iterator[Callable[[int, int], None]]:
    """A function to be told how many parts are done, of how many; these may only be known then."""
    screen = sys.stderr
    with click.progressbar(
        length=1, label=label, file=screen, hidden=not screen.isatty(), show_pos=True
    ) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield tell
        bar.update((bar.length or 0) - bar.pos)
