"""Runs the checks of `preau doctor`, all at once, each by itself.

It finds them through the entry points `preau.checks`, so it imports none of them: a floor above may
bring its own.
"""

import asyncio
import fcntl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from gateway.checks.finding import Check, Finding, Given, Level, failed
from gateway.settings import Settings
from ingest.errors import PreauError
from ingest.estate.load import load_estate
from ingest.estate.model import Estate
from ingest.estate.problems import ProblemsError
from ingest.estate.watch import estate_is_written
from ingest.store.database import LOCK_NAME

GROUP: Final = "preau.checks"
LIMIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Checked:
    """A finding, and the check that made it."""

    check: str
    finding: Finding

    @property
    def is_failed(self) -> bool:
        """Whether something does not work."""
        return self.finding.level is Level.FAILED


def given_of(settings: Settings, now_ms: int) -> Given:
    """What the checks are handed. An estate that is invalid counts as empty; a check tells it."""
    return Given(settings, _estate(settings), now_ms, _is_running(settings.data.dir))


async def examine(
    given: Given, checks: Iterable[EntryPoint] | None = None, limit_s: float = LIMIT_S
) -> list[Checked]:
    """The findings of all checks, of the installed ones if none are given, by name."""
    found = sorted(entry_points(group=GROUP) if checks is None else checks, key=lambda e: e.name)
    answers = await asyncio.gather(*(_answer(entry, given, limit_s) for entry in found))
    return [
        Checked(entry.name, finding)
        for entry, findings in zip(found, answers, strict=True)
        for finding in findings
    ]


async def _answer(entry: EntryPoint, given: Given, limit_s: float) -> Sequence[Finding]:
    """A check that can't look is itself a finding, and hinders no other."""
    try:
        check: Check = entry.load()
        async with asyncio.timeout(limit_s):
            return await check(given)
    except PreauError as error:
        return [failed(" ".join(str(error).split()), "mend that, then ask again")]
    except TimeoutError:
        return [failed(f"no answer within {limit_s:g} s", "look at the network and the disk")]
    except Exception as error:  # noqa: BLE001 - whatever a check does, the others go on
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return [failed(f"the check itself failed: {told}", "report it, with this line")]


def _estate(settings: Settings) -> Estate:
    if not estate_is_written(settings.estate_file):
        return Estate()
    try:
        return load_estate(settings.estate_file, settings.zone)
    except ProblemsError:
        return Estate()


def _is_running(folder: Path) -> bool:
    """Whether a gateway holds the data folder."""
    try:
        with (folder / LOCK_NAME).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
