"""Room for thousands of connections: how many files this process may have open, and raising it.

Servers that are started afterwards inherit it. It knows no scenario.
"""

import resource
from typing import Final

from ingest.errors import ConfigurationError

_OTHERS: Final = 120
"""Of the store, the page, the programs' own."""


def make_room(connections: int) -> None:
    """Have this process open so many connections at once, raising its own limit where it may.

    Raises `ConfigurationError` where the limit set by the system is lower.
    """
    wanted = connections + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ConfigurationError(
            f"{connections} connections need {wanted} open files, and this process may have {hard}:"
            " raise that (ulimit -n), play fewer --nodes, or put them into one --shared-session"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
