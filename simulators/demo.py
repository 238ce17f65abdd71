"""The command `preau demo`: what it is called, its options, and what it needs to be installed.

What it shows is `simulators.demonstration`, which needs the packages of the extra `simulators`.
"""

from pathlib import Path
from typing import Final

import click

from gateway.endpoint import parse_endpoint
from gateway.running import run_until_stopped
from ingest.errors import ConfigurationError

_MOST_DAYS: Final = 400


@click.command(
    epilog="Example: preau demo --days 30 --http 127.0.0.1:9000",
    short_help="Show Préau with a simulated town.",
)
@click.option(
    "--http",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the page listens.",
)
@click.option(
    "--mqtt",
    default="127.0.0.1:1883",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the broker listens.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, _MOST_DAYS),
    default=14,
    show_default=True,
    metavar="DAYS",
    help="Days of the past to fill in, at most 400.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("preau-demo"),
    show_default=True,
    help="Where it keeps its data; made where it is missing.",
)
def command(http: str, mqtt: str, days: float, data_dir: Path) -> None:
    """Start a broker, a gateway and a simulated town of two schools, and fill in its past.

    Ctrl-C ends it all. Started again with the same folder, it goes on where it stopped.
    """
    try:
        from simulators.demonstration import Demo, run_demo  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the package {error.name} is missing: pip install 'preau[simulators]'"
        ) from error
    demo = Demo(parse_endpoint(http), parse_endpoint(mqtt), days, data_dir.absolute())
    run_until_stopped(run_demo(demo))
    click.echo("preau demo: stopped")
