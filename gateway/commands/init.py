"""`preau init`: the first settings and estate of a town, with comments that explain them.

With `--docker` they come with everything else that the compose stack needs.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from gateway.stack.parts import part
from gateway.stack.plan import StackPlan
from ingest.errors import ConfigurationError

_TEMPLATES: Final = ("preau.toml", "estate.toml")
_NAME_LINE: Final = 'name = "Ma commune"'


@click.command(
    epilog='Example: preau init trilport --town "Trilport"',
    short_help="Write a first preau.toml and estate.toml.",
)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--town", metavar="NAME", help="The town's name, as the page will show it.")
@click.option("--force", is_flag=True, help="Replace files that are already there.")
@click.option(
    "--docker",
    "stack",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the whole compose stack into DIR instead, or bring it in line.",
)
@click.option(
    "--host",
    "hosts",
    metavar="HOST",
    multiple=True,
    help="With --docker: a name or address by which nodes reach the broker; may be repeated.",
)
@click.option(
    "--mail", metavar="ADDRESS", default="", help="With --docker: whom alerts are sent to."
)
@click.option("--second-gateway", is_flag=True, help="With --docker: for some of the sites.")
@click.option("--demo", is_flag=True, help="With --docker: with a simulated town, for a trial.")
def command(
    folder: Path,
    town: str | None,
    *,
    force: bool,
    stack: Path | None,
    hosts: Sequence[str],
    mail: str,
    second_gateway: bool,
    demo: bool,
) -> None:
    """Write preau.toml and estate.toml into DIR, by default this folder.

    Both are commented in French and valid as they are; the estate holds a school as an example.
    Nothing is written if one of them is already there, unless --force is given.

    With --docker: compose files, .env, secrets, certificates, the broker's and Grafana's files as
    well. Typed again, it makes what is missing and replaces no secret, no setting and no estate.
    """
    _require_town(town)
    if stack is not None:
        if force or folder != Path():
            raise click.UsageError("--docker goes with neither --force nor a second DIR")
        _tell_stack(StackPlan(stack, town, tuple(hosts), mail, second_gateway, demo))
        return
    if hosts or mail or second_gateway or demo:
        raise click.UsageError("--host, --mail, --second-gateway and --demo are for --docker")
    for file in write_first_files(folder, town, replace=force):
        click.echo(f"written: {file}")
    option = "" if folder == Path() else f" --settings {folder / 'preau.toml'}"
    click.echo(f"Next: write your schools into {folder / 'estate.toml'}, then: preau check{option}")


def _tell_stack(plan: StackPlan) -> None:
    # Certificates need a library that takes a while to load, and most commands none.
    from gateway.stack.stack import write_stack  # noqa: PLC0415

    demo = part("demo")["estate.toml"].decode() if plan.demo else None
    outcome = write_stack(plan, demo or _content("estate.toml", plan.town), datetime.now(UTC))
    for path in outcome.written:
        click.echo(f"written: {plan.folder / path}")
    if outcome.kept:
        click.echo(f"kept: {', '.join(outcome.kept)}")
    for user in outcome.accounts.added:
        click.echo(f"account: {user}")
    for user in outcome.accounts.removed:
        click.echo(f"account removed: {user}")
    click.echo(
        f"Next: look through {plan.folder / '.env'}, then in {plan.folder}: docker compose up -d"
    )
    if outcome.accounts.added or outcome.accounts.removed:
        click.echo("Where the broker runs already: docker compose kill -s HUP mosquitto")


def write_first_files(folder: Path, town: str | None, *, replace: bool) -> list[Path]:
    """Write both files into `folder`, which is made if need be, and return them.

    Raises `ConfigurationError`, before anything is written, if one exists and `replace` is false.
    """
    targets = [folder / name for name in _TEMPLATES]
    present = [str(target) for target in targets if target.exists()]
    if present and not replace:
        raise ConfigurationError(
            f"{' and '.join(present)} already there; nothing was written (--force replaces)"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in targets:
            target.write_text(_content(target.name, town), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{folder} can't be written: {error.strerror}") from error
    return targets


def _require_town(town: str | None) -> None:
    if town is not None and (not town.strip() or not town.isprintable() or len(town) > 120):
        raise ConfigurationError(f"--town {town!r}: must be one line of 1 to 120 characters")


def _content(name: str, town: str | None) -> str:
    text = files("gateway").joinpath("templates_init", name).read_text(encoding="utf-8")
    if town is None:
        return text
    # What JSON writes for printable text is a TOML string as well.
    return text.replace(_NAME_LINE, f"name = {json.dumps(town.strip(), ensure_ascii=False)}")
