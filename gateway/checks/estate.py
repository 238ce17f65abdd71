"""Is the estate valid, and does it say anything?"""

from collections.abc import Sequence

from gateway.checks.finding import Finding, Given, failed, good, warning
from gateway.share import share_of, share_problems
from ingest.estate.load import load_estate
from ingest.estate.problems import ProblemsError
from ingest.estate.watch import estate_is_written


async def check(given: Given) -> Sequence[Finding]:
    """Each mistake with its line, as `preau check` tells it."""
    file = given.settings.estate_file
    if not estate_is_written(file):
        return [warning(f"there is no estate at {file}", "preau init writes a first one")]
    try:
        estate = load_estate(file, given.settings.zone)
    except ProblemsError as error:
        return [failed(str(problem), "mend that line") for problem in error.problems]
    unfit = list(share_problems(share_of(given.settings.share), estate))
    if unfit:
        return [failed(str(problem), "mend the settings or the estate") for problem in unfit]
    rooms, nodes = sum(1 for _ in estate.rooms()), len(estate.nodes)
    told = f"the estate is valid: {rooms} rooms, {nodes} nodes"
    if not rooms:
        return [warning(f"{told}; no reading will have a place", "write your schools into it")]
    return [good(told)]
