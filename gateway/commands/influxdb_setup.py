"""`preau influxdb setup`: an InfluxDB 2 made ready for a gateway and a Grafana."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from gateway.influxdb_setup import READER, WRITER, InfluxSetup, TokenFile
from gateway.secret_file import read_secret
from ingest.forwarder.target import Target

_file = click.Path(path_type=Path, dir_okay=False)


@click.command(
    epilog="Example: preau influxdb setup --password-file admin.password "
    "--operator-token-file operator.token --writer gateway.token --reader grafana.token",
    short_help="Set an InfluxDB 2 up, with a token for each program.",
)
@click.option("--url", default="http://127.0.0.1:8086", show_default=True)
@click.option("--org", default="preau", show_default=True, help="The organisation.")
@click.option("--bucket", default="preau", show_default=True, help="Where readings go, for ever.")
@click.option("--user", default="preau", show_default=True, help="The first user, for its pages.")
@click.option("--password-file", required=True, type=_file, help="That user's password.")
@click.option(
    "--operator-token-file",
    required=True,
    type=_file,
    help="A token that may do everything, of your choice; a file of mode 0600 like the others.",
)
@click.option(
    "--writer",
    "writers",
    multiple=True,
    metavar="FILE",
    type=_file,
    help="Where a token goes that may read and write the bucket, for a gateway; may be repeated.",
)
@click.option(
    "--reader",
    "readers",
    multiple=True,
    metavar="FILE",
    type=_file,
    help="Where one goes that may only read it, for Grafana; may be repeated.",
)
def command(
    *,
    url: str,
    org: str,
    bucket: str,
    user: str,
    password_file: Path,
    operator_token_file: Path,
    writers: Sequence[Path],
    readers: Sequence[Path],
) -> None:
    """Make organisation, bucket and tokens in a fresh InfluxDB 2; in another, what is missing.

    A token that works stays. InfluxDB chooses the tokens; each goes into its file, of mode 0600.
    """
    target = Target(
        name="setup",
        api="v2",
        url=url.rstrip("/"),
        database=bucket,
        org=org,
        token=read_secret(operator_token_file, "--operator-token-file"),
    )
    password = read_secret(password_file, "--password-file")
    wanted = [TokenFile(file, WRITER) for file in writers]
    wanted += [TokenFile(file, READER) for file in readers]
    asyncio.run(_set_up(target, user, password, wanted))


async def _set_up(target: Target, user: str, password: str, wanted: Sequence[TokenFile]) -> None:
    async with InfluxSetup(target) as influx:
        begun = await influx.begin(user, password)
        click.echo(f"{target.url}: {'set up' if begun else 'was set up already'}")
        place = await influx.place()
        await influx.map_database(place)
        for one in wanted:
            made = await influx.provide(place, one)
            click.echo(f"token in {one.file}: {'new' if made else 'works'}")
