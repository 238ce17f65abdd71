"""`preau deadletters replay`: reads dead letters again, after their cause was mended."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from gateway.clock import now_ms, problem_of
from gateway.commands.letters import NO_STORE, chosen_options, has_store, letter_filter, plain
from gateway.commands.options import json_option
from gateway.settings import load_settings
from ingest.errors import ConfigurationError
from ingest.replay import Replay, Replayed, fold_all
from ingest.store.deadletters import LetterFilter, count_dead_letters
from ingest.store.fold import FoldResult
from ingest.store.reader import StoreReader
from ingest.store.writer import StoreWriter

_SHOWN: Final = 50
_PROGRESS_EVERY: Final = 1000
_HINTS: Final = {
    "time_ahead": "time_ahead: if this machine's clock was wrong when they came: "
    "--clock-was-wrong with --from, --to",
    "before_window": "before_window: if you know that they are no repeats: --no-repeats",
}


@click.command(
    epilog="Example: preau deadletters replay --reason unknown_quantity",
    short_help="Read dead letters again, after the cause was mended.",
)
@chosen_options
@click.option(
    "--clock-was-wrong",
    is_flag=True,
    help="This machine's clock was behind when they came (say when, as it told the time then): "
    "judge what seemed ahead by the clock of today.",
)
@click.option(
    "--no-repeats",
    is_flag=True,
    help="Vouch that letters with the reason before_window were never stored before.",
)
@json_option
def command(
    settings_file: Path | None,
    *,
    node: str | None,
    reason: str | None,
    from_text: str | None,
    to_text: str | None,
    clock_was_wrong: bool,
    no_repeats: bool,
    as_json: bool,
) -> None:
    """Read dead letters again as they first came. What is usable now is stored, once.

    Without restrictions all are read. What is still refused stays, and the reason of today is
    told. The service must be stopped; breaking this off loses nothing.
    """
    settings = load_settings(settings_file)
    chosen = letter_filter(settings, node, reason, from_text, to_text)
    right_now_ms = _right_now_ms(chosen) if clock_was_wrong else None
    if not has_store(settings.data.dir):
        click.echo(_as_json([], FoldResult()) if as_json else NO_STORE)
        return
    with StoreWriter(settings.data.dir) as store:
        # What was waiting is sorted in first: what is counted afterwards is of the letters.
        fold_all(store)
        replay = Replay(
            store,
            _numbering(settings.data.dir),
            right_now_ms=right_now_ms,
            are_no_repeats=no_repeats,
        )
        told = list(_with_progress(replay.run(chosen), _count(store, chosen)))
        folded = fold_all(store)
    click.echo(_as_json(told, folded) if as_json else "\n".join(_lines(told, folded)))


def _right_now_ms(chosen: LetterFilter) -> int:
    if chosen.from_ms is None and chosen.to_ms is None:
        # Of any other time it was a node's clock that was ahead, and time has passed since.
        raise ConfigurationError("--clock-was-wrong: say when, with --from, --to or both")
    at_ms = now_ms()
    problem = problem_of(at_ms)
    if problem is not None:
        raise ConfigurationError(f"--clock-was-wrong: {problem}")
    return at_ms


def _numbering(folder: Path) -> frozenset[str]:
    with StoreReader(folder) as reader:
        return frozenset(log.node for log in reader.logs())


def _count(store: StoreWriter, chosen: LetterFilter) -> int:
    return sum(store.change(count_dead_letters, chosen).values())


def _with_progress(told: Iterable[Replayed], total: int) -> Iterator[Replayed]:
    for number, result in enumerate(told, 1):
        yield result
        if number % _PROGRESS_EVERY == 0:
            click.echo(f"{number} of {total} dead letters", err=True)


def _as_json(told: list[Replayed], folded: FoldResult) -> str:
    sums = {
        "gone": sum(result.refused is None for result in told),
        "stay": sum(result.refused is not None for result in told),
        "stored": _stored(folded),
        "repeats": folded.repeats,
        "conflicts": folded.conflicts,
    }
    return json.dumps(sums | {"letters": [asdict(result) for result in told]}, indent=2)


def _lines(told: list[Replayed], folded: FoldResult) -> Iterator[str]:
    stay = [result for result in told if result.refused is not None]
    for result in stay[:_SHOWN]:
        head = f"{result.id}  {result.node or '-'}  stays, {plain(result.refused or '')}"
        yield f"{head}: {plain(result.detail)}"
    if len(stay) > _SHOWN:
        yield f"... and {len(stay) - _SHOWN} more stay: --json tells all"
    yield f"{len(told)} dead letters read again: {len(told) - len(stay)} gone, {len(stay)} stay"
    parts = sum(result.letters for result in told)
    if parts:
        yield f"{parts} records of those that are gone still can't be used: new dead letters"
    sums = f"{_stored(folded)} stored, {folded.repeats} were there already"
    if folded.conflicts:
        sums += f", {folded.conflicts} contradict what is stored: new dead letters, conflict"
    yield f"{folded.readings} readings: {sums}"
    for reason, hint in _HINTS.items():
        if any(result.refused == reason for result in stay):
            yield hint


def _stored(folded: FoldResult) -> int:
    return folded.readings - folded.repeats - folded.conflicts
