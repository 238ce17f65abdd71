"""`preau audit`: is anything missing that a node has numbered, or that InfluxDB should have."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.commands.options import json_option, settings_option
from gateway.commands.period import bounds
from gateway.commands.progress import told_parts
from gateway.settings import Settings, load_settings
from ingest.audit import Audit, LogAudit, NumberRanges, audit, size_of
from ingest.errors import ConfigurationError, PreauError
from ingest.forwarder.comparison import Comparer, Comparison, Difference
from ingest.forwarder.query import InfluxQuery
from ingest.forwarder.target import Target
from ingest.store.database import FILE_NAME
from ingest.store.deadletters import numbered_dead_letters
from ingest.store.reader import LogState, StoreReader
from ingest.topics import is_node_id

_SHOWN = 20


@dataclass(slots=True)
class Account:
    """Everything that was looked at: pack numbers, and each InfluxDB by name."""

    numbers: Audit
    compared: dict[str, Comparison] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing is missing anywhere."""
        differing = any(one.differences for one in self.compared.values())
        return not (self.numbers.missing or differing or self.unanswered)


@click.command(
    epilog="Example: preau audit --from 2026-11-01 --json",
    short_help="Account for every pack, and compare with InfluxDB.",
)
@settings_option
@click.option("--node", metavar="ID", help="Only of this node, 12 hex digits.")
@click.option(
    "--from",
    "from_text",
    metavar="TIME",
    help="Compare with InfluxDB what was measured from then on: 2026-11-01.",
)
@click.option("--to", "to_text", metavar="TIME", help="Compare what was measured before then.")
@click.option(
    "--store",
    "stores",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A data folder, instead of the settings'; several are taken together.",
)
@click.option("--no-influxdb", is_flag=True, help="Only account for the pack numbers.")
@json_option
def command(
    settings_file: Path | None,
    node: str | None,
    from_text: str | None,
    to_text: str | None,
    stores: Sequence[Path],
    *,
    no_influxdb: bool,
    as_json: bool,
) -> int:
    """Account for every pack number of every log, and compare the store with each InfluxDB.

    Received: stored, or kept as a dead letter. Lost: the node let it go before it was received,
    and says so. Missing: numbered, and neither; it may still come while its node holds it.

    Numbers have no time: --from and --to restrict the comparison with InfluxDB, which goes by
    counts of each series and hour. Of nodes that this store does not know an InfluxDB may hold
    anything, since gateways and towns share one. The service may run meanwhile. Exits 1 if anything
    is missing.
    """
    settings = load_settings(settings_file)
    if node is not None and not is_node_id(node):
        raise ConfigurationError(f"--node is {node!r}: must be 12 lowercase hex digits")
    period = bounds(from_text, to_text, settings.zone)
    for store in stores:
        if not (store / FILE_NAME).exists():
            raise ConfigurationError(f"--store {store} holds no {FILE_NAME}")
    account = Account(_numbers(stores or [settings.data.dir], node))
    own = settings.data.dir
    # Other stores have forwarders of their own: theirs are the settings to compare with.
    if not no_influxdb and not stores and (own / FILE_NAME).exists():
        asyncio.run(_compare_all(account, settings, node, period))
    if as_json:
        click.echo(json.dumps(_as_json(account), indent=2))
    else:
        _tell(account)
    return 0 if account.holds else 1


def _numbers(stores: Sequence[Path], node: str | None) -> Audit:
    logs: list[LogState] = []
    dead: dict[tuple[str, str], set[int]] = {}
    for folder in stores:
        if (folder / FILE_NAME).exists():
            with StoreReader(folder) as reader:
                logs += reader.logs(node)
                for log, numbers in reader.ask(numbered_dead_letters).items():
                    dead.setdefault(log, set()).update(numbers)
    return audit(logs, dead)


async def _compare_all(
    account: Account, settings: Settings, node: str | None, period: tuple[int, int]
) -> None:
    for forwarder in settings.forwarder:
        try:
            account.compared[forwarder.name] = await _compare(
                settings, forwarder.target(), node, period
            )
        except PreauError as error:
            account.unanswered[forwarder.name] = str(error)


async def _compare(
    settings: Settings, target: Target, node: str | None, period: tuple[int, int]
) -> Comparison:
    now_ms = time.time_ns() // 1_000_000
    is_shared = bool(settings.share.sites)
    with StoreReader(settings.data.dir) as reader:
        async with InfluxQuery(target) as influx:
            comparer = Comparer(reader, influx.ask, target.name, node, is_shared)
            with told_parts(f"days in {target.name}") as told:
                return await comparer.compare(*period, now_ms, told)


def _as_json(account: Account) -> dict[str, object]:
    numbers = account.numbers
    totals = {
        "received": numbers.received,
        "dead_letters": numbers.dead_letters,
        "lost": numbers.lost,
        "missing": numbers.missing,
    }
    influx: dict[str, object] = {
        name: {
            "readings": one.readings,
            "waiting": one.waiting,
            "refused": one.refused,
            "differences": [
                {
                    **difference.at._asdict(),
                    "shipped": difference.shipped,
                    "found": difference.found,
                }
                for difference in one.differences
            ],
        }
        for name, one in account.compared.items()
    }
    influx |= {name: {"error": reason} for name, reason in account.unanswered.items()}
    return totals | {"logs": [asdict(log) for log in numbers.logs], "influxdb": influx}


def _tell(account: Account) -> None:
    numbers = account.numbers
    for log in numbers.logs:
        _tell_gaps(log, "lost by the node", log.lost)
        _tell_gaps(log, "missing", log.missing)
    for name, one in account.compared.items():
        for line in _differences(name, one.differences):
            click.echo(line)
    nodes = len({log.node for log in numbers.logs})
    click.echo(
        f"{nodes} nodes, {len(numbers.logs)} logs: {numbers.received} packs received, "
        f"{numbers.dead_letters} of them dead letters, "
        f"{numbers.lost} lost by their nodes, {numbers.missing} missing"
    )
    for name, one in account.compared.items():
        click.echo(
            f"InfluxDB {name}: {one.readings} readings compared, {one.waiting} wait to be shipped, "
            f"{one.refused} refused by it, {len(one.differences)} hours differ"
        )
    for name, reason in account.unanswered.items():
        click.echo(f"InfluxDB {name}: not compared: {reason}")


def _tell_gaps(log: LogAudit, what: str, ranges: NumberRanges) -> None:
    if ranges:
        shown = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges[:_SHOWN])
        more = ", ..." if len(ranges) > _SHOWN else ""
        click.echo(f"{log.node}  log {log.log}  {what}: {shown}{more} ({size_of(ranges)} packs)")


def _differences(name: str, differences: Sequence[Difference]) -> Iterator[str]:
    for at, shipped, found in differences[:_SHOWN]:
        hour = datetime.fromtimestamp(at.hour_ms / 1000, UTC).strftime("%Y-%m-%dT%H:00Z")
        yield (
            f"InfluxDB {name}: {at.node}  {at.quantity} {at.channel}  {hour}: "
            f"{shipped} shipped, {found} there"
        )
    if len(differences) > _SHOWN:
        yield f"InfluxDB {name}: and {len(differences) - _SHOWN} hours more"
    if differences:
        yield f"InfluxDB {name}: `preau forward --from DATE` sends them again"
