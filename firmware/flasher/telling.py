"""Tells the person who holds the board what is being done, and how far it is."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

import click


@dataclass(slots=True)
class Teller:
    """Sentences and progress on `stream`. On a terminal progress stays on its line; in a file a
    line comes for each quarter.
    """

    stream: TextIO
    _shown: str = ""

    def say(self, sentence: str) -> None:
        """One line."""
        self._end_line()
        click.echo(sentence, file=self.stream)

    def bar(self, label: str) -> Callable[[int, int], None]:
        """Progress of what `label` names, to be told what is done and how much there is; 0 where
        nobody knows.
        """
        last = -1

        def told(done: int, total: int) -> None:
            nonlocal last
            percent = 100 * done // total if total else 0
            step = 1 if self.stream.isatty() else 25
            if percent // step != last:
                last = percent // step
                self._show(f"{label}: {percent} %")

        return told

    def passing(self, label: str) -> Callable[[int], None]:
        """The same for a wait: told the seconds that have passed."""
        return lambda seconds: (
            self._show(f"{label}: {seconds} s") if self._counts(seconds) else None
        )

    def _counts(self, seconds: int) -> bool:
        return self.stream.isatty() or seconds % 10 == 0

    def _show(self, text: str) -> None:
        if text == self._shown:
            return
        if self.stream.isatty():
            click.echo(f"\r{text}\033[K", file=self.stream, nl=False)
        else:
            click.echo(text, file=self.stream)
        self._shown = text

    def _end_line(self) -> None:
        if self._shown and self.stream.isatty():
            click.echo(file=self.stream)
        self._shown = ""


def teller(*, as_json: bool) -> Teller:
    """On standard output, or, where that is for a program, on standard error."""
    return Teller(sys.stderr if as_json else sys.stdout)
