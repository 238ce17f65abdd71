"""`preau dashboards build`: dashboards, alert rules and provisioning, as files for a Grafana."""

from pathlib import Path

import click

from dashboards.commands.extra import needed
from gateway.web.texts import LANGUAGES

with needed("dashboards"):
    from dashboards.look import look_of
    from dashboards.tree import tree, write_tree


@click.command(
    epilog="Example: preau dashboards build --out /etc/preau/grafana --lang fr",
    short_help="Write what a Grafana is provisioned with.",
)
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write into; it is made if need be.",
)
@click.option("--lang", type=click.Choice(LANGUAGES), default="fr", show_default=True)
@click.option(
    "--api",
    type=click.Choice(["v2", "v1"]),
    default="v2",
    show_default=True,
    help="How the data source logs in: v2 by a token, v1 by user name and password.",
)
@click.option(
    "--time-zone", default="Europe/Paris", show_default=True, help="In which a day begins."
)
def command(folder: Path, lang: str, api: str, time_zone: str) -> None:
    """Write dashboards/*.json and provisioning/**/*.yaml, the same bytes every time.

    Grafana fills in PREAU_INFLUX_URL, PREAU_INFLUX_DATABASE, PREAU_ALERT_EMAIL and, for v2,
    PREAU_INFLUX_TOKEN, for v1 PREAU_INFLUX_USER and PREAU_INFLUX_PASSWORD, from its environment.
    """
    files = tree(look_of(lang, time_zone), "v1" if api == "v1" else "v2")
    written = write_tree(folder, files)
    click.echo(f"{len(files)} files in {folder}, {len(written)} of them new or changed")
