"""`preau audit`: is anything missing that a node has numbered."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from gateway.commands.options import json_option, settings_option
from gateway.settings import load_settings
from ingest.audit import Audit, LogAudit, NumberRanges, audit, size_of
from ingest.errors import ConfigurationError
from ingest.store.database import FILE_NAME
from ingest.store.reader import StoreReader
from ingest.topics import is_node_id


@click.command(
    epilog="Example: preau audit --node 3c71bf4a2b10 --json",
    short_help="Account for every pack that nodes have numbered.",
)
@settings_option
@click.option("--node", help="Only of this node, 12 hex digits.")
@json_option
def command(settings_file: Path | None, node: str | None, *, as_json: bool) -> int:
    """Account for every pack number of every log of every node.

    Received: stored, or kept as a dead letter. Lost: the node let it go before it was received,
    and says so. Missing: numbered, and neither; it may still come while its node holds it. Exits 1
    if something is missing. The service may run meanwhile.
    """
    if node is not None and not is_node_id(node):
        raise ConfigurationError(f"--node is {node!r}: must be 12 lowercase hex digits")
    folder = load_settings(settings_file).data.dir
    result = Audit([])
    if (folder / FILE_NAME).exists():
        with StoreReader(folder) as reader:
            result = audit(reader.logs(node))
    if as_json:
        click.echo(json.dumps(_as_json(result), indent=2))
    else:
        _tell(result)
    return 1 if result.missing else 0


def _as_json(result: Audit) -> dict[str, object]:
    totals = {"received": result.received, "lost": result.lost, "missing": result.missing}
    return totals | {"logs": [asdict(log) for log in result.logs]}


def _tell(result: Audit) -> None:
    nodes = len({log.node for log in result.logs})
    for log in result.logs:
        _tell_gaps(log, "lost by the node", log.lost)
        _tell_gaps(log, "missing", log.missing)
    click.echo(
        f"{nodes} nodes, {len(result.logs)} logs: {result.received} packs received, "
        f"{result.lost} lost by their nodes, {result.missing} missing"
    )


def _tell_gaps(log: LogAudit, what: str, ranges: NumberRanges) -> None:
    if ranges:
        shown = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges[:20])
        more = ", ..." if len(ranges) > 20 else ""
        click.echo(f"{log.node}  log {log.log}  {what}: {shown}{more} ({size_of(ranges)} packs)")
