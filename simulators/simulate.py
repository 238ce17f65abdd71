"""The command `preau simulate`: its options, and what it needs to be installed.

What it does is `simulators.simulation`, which needs the packages of the extra `simulators`.
"""

from pathlib import Path
from typing import Any, Final

import click

from gateway.commands.options import json_option
from ingest.errors import ConfigurationError

_MOST_NODES: Final = 20_000


class SpeedType(click.ParamType[object]):
    """`full`, or how many times as fast as life."""

    name = "speed"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """A number, or `full`; a click error for anything else."""
        if value == "full" or isinstance(value, float):
            return value
        try:
            speed = float(str(value).removeprefix("×").removeprefix("x"))
        except ValueError:
            speed = 0.0
        if not 0 < speed <= 100_000:
            self.fail(f"{value!r}: must be full, or a number such as 1 or 60", param, ctx)
        return speed


@click.command(
    epilog="Example: preau simulate winter-week --seed 7 --report junit.xml",
    short_help="Play a scenario with a simulated town and judge it.",
)
@click.argument("scenario", required=False, metavar="FILE|NAME")
@click.option("--seed", type=click.IntRange(0), help="Draw another town, weather and faults.")
@click.option(
    "--nodes",
    type=click.IntRange(1, _MOST_NODES),
    help="So many nodes; beyond those of the estate in copies of its rooms.",
)
@click.option("--speed", type=SpeedType(), help="full, or a number: 1 is as in life.")
@click.option(
    "--shared-session",
    is_flag=True,
    help="All nodes in one MQTT session, for load beyond the limit of connections; without wills.",
)
@click.option("--short", is_flag=True, help="The short form, for tests.")
@click.option(
    "--target",
    metavar="mqtt[s]://[USER@]HOST[:PORT]",
    help="Play against this broker and whoever listens there; mqtts:// is over TLS; the password "
    "of USER in PREAU_SIMULATE_PASSWORD.",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With mqtts://: the certificate that signed the broker's; the system's if left out.",
)
@click.option(
    "--passwords",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --target: an account for each node; holds NODE.password, as `preau broker config` "
    "writes them.",
)
@click.option(
    "--page",
    metavar="URL",
    help="With --target: the gateway's page, whose API is asked what has arrived.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Instead of a scenario: readings.csv as `preau export` writes it.",
)
@click.option(
    "--shift",
    metavar="now|SECONDS",
    help="With --replay: its last reading is measured now (if left out), or all so much later; 0 "
    "leaves them.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write JUnit's XML here.",
)
@click.option(
    "--list-nodes",
    "lists_nodes",
    is_flag=True,
    help="Tell the ids of its nodes, and play nothing: for an estate, and accounts at a broker.",
)
@click.option("--list", "lists", is_flag=True, help="Tell which scenarios come with Préau.")
@json_option
def command(scenario: str | None, *, lists: bool, **options: Any) -> int:
    """Play a scenario: a town, a period, what goes wrong, and what has to hold all the same.

    It starts a broker and a gateway of its own and plays as fast as these follow. Ends with 0 if
    all that the scenario expects has come true, with 1 if not, with 2 if it can't be played.
    """
    try:
        from simulators.scenario.load import shipped_names  # noqa: PLC0415 - needs the extra
        from simulators.simulation import Options, simulate  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the package {error.name} is missing: pip install 'preau[simulators]'"
        ) from error
    if lists:
        click.echo("\n".join(shipped_names()))
        return 0
    if (scenario is None) == (options["replay"] is None):
        hint = "--list tells which scenarios there are"
        raise click.UsageError(
            f"name a scenario, or its file, or a recording with --replay; {hint}"
        )
    return simulate(Options(scenario=scenario, **options))
