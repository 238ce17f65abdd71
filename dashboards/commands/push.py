"""`preau dashboards push`: the dashboards into a Grafana that is there already."""

import json
from pathlib import Path

import click

from dashboards.commands.extra import needed
from gateway.secret_file import read_secret
from gateway.web.texts import LANGUAGES

with needed("dashboards"):
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    from dashboards import alerts
    from dashboards.influxql import SOURCE_UID
    from dashboards.look import look_of
    from dashboards.push import apply, changes, check
    from dashboards.tree import tree


@click.command(
    epilog="Example: preau dashboards push --url https://grafana.trilport.fr "
    "--token-file grafana.token --dry-run",
    short_help="Bring the dashboards into an existing Grafana.",
)
@click.option("--url", required=True, help="Where Grafana is.")
@click.option(
    "--token-file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of mode 0600 with the token of a service account, role Editor.",
)
@click.option(
    "--datasource",
    default=SOURCE_UID,
    show_default=True,
    help="Uid or name of the InfluxDB data source.",
)
@click.option("--lang", type=click.Choice(LANGUAGES), default="fr", show_default=True)
@click.option("--time-zone", default="Europe/Paris", show_default=True)
@click.option("--alerts", "with_alerts", is_flag=True, help="The alert rules as well.")
@click.option("--dry-run", is_flag=True, help="Print the difference and change nothing.")
def command(
    url: str,
    token_file: Path,
    datasource: str,
    lang: str,
    time_zone: str,
    *,
    with_alerts: bool,
    dry_run: bool,
) -> None:
    """Make Grafana's dashboards those of this version; what is right already is left alone.

    Everything is checked before anything is written: the token, Grafana's version, the data source
    and whether its database answers. Where a step fails, those before it are undone.
    """
    with needed("grafana"):
        from dashboards.grafana_http import GrafanaHttp  # noqa: PLC0415 - an extra of its own
    look = look_of(lang, time_zone)
    grafana = GrafanaHttp(url, read_secret(token_file, "--token-file"))
    uid = check(grafana, datasource)
    files = {name: of for name, of in tree(look).items() if name.startswith("dashboards/")}
    rules = []
    if with_alerts:
        made = [alerts.rule_of(look, rule) for rule in alerts.RULES]
        rules = json.loads(json.dumps(made, cls=JSONEncoder))
    wanted = changes(grafana, files, rules, uid)
    if dry_run:
        for change in wanted:
            for line in change.difference():
                click.echo(line)
        click.echo(f"{len(wanted)} to change; nothing was")
        return
    apply(grafana, wanted, look.texts("folder.title"))
    for change in wanted:
        click.echo(f"{'changed' if change.before else 'new'}: {change.title}")
    click.echo(f"{len(files) + bool(rules) - len(wanted)} were right already")
