"""Until when do the town's certificates serve? The broker's own is looked at where it is shown."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from gateway.checks.finding import Finding, Given, failed, good, warning
from gateway.pki.authority import certificate_file
from gateway.pki.expiry import certificate_states
from ingest.errors import ConfigurationError


async def check(given: Given) -> Sequence[Finding]:
    """The authority, and what it has signed; nothing to say where there is none."""
    folder = given.settings.pki.dir
    if not certificate_file(folder).exists():
        return []
    try:
        return list(_findings(given))
    except ConfigurationError as error:
        return [failed(str(error), "restore the file, or type: preau pki renew")]


def _findings(given: Given) -> Iterator[Finding]:
    now = datetime.fromtimestamp(given.now_ms / 1000, UTC)
    for state in certificate_states(given.settings.pki.dir, now):
        if not state.problem:
            yield good(f"certificate {state.name}: until {state.ends_at:%Y-%m-%d}")
            continue
        problem, _, remedy = state.problem.partition("; ")
        is_ending = state.days_left >= 0 and problem.startswith("ends in")
        tell = warning if is_ending else failed
        yield tell(f"certificate {state.name}: {problem}", remedy or f"look at {state.file}")
