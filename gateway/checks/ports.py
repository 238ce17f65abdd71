"""The ports that the gateway listens on: free, or ours already?"""

import errno
import socket
from collections.abc import Sequence
from contextlib import closing

import aiohttp

from gateway.checks.finding import Finding, Given, failed, good, warning
from gateway.endpoint import Endpoint

_TIMEOUT_S = 5.0


async def check(given: Given) -> Sequence[Finding]:
    """The page's, and that of the embedded broker."""
    http, broker = given.settings.http, given.settings.broker
    page = Endpoint(http.host, http.port)
    found = [await _page(page) if given.is_running else _free(page, "the page", "http.port")]
    if broker.embedded and not given.is_running:
        told = Endpoint(broker.host, broker.port)
        found.append(_free(told, "the embedded broker", "broker.port"))
    return found


def _free(endpoint: Endpoint, whose: str, setting: str) -> Finding:
    if endpoint.port == 0:
        return good(f"{whose} takes any free port")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with closing(socket.socket(family, kind, protocol)) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(place)
            one.listen(1)
    except OSError as error:
        return failed(
            f"{endpoint} for {whose}: {error.strerror}", _remedy(error, setting, endpoint)
        )
    return good(f"{endpoint} is free for {whose}")


def _remedy(error: OSError, setting: str, endpoint: Endpoint) -> str:
    if error.errno == errno.EADDRINUSE:
        see = f"sudo ss -ltnp 'sport = :{endpoint.port}'"
        return f"see which program has it: {see}; end it, or set {setting}"
    if error.errno == errno.EACCES:
        return f"ports below 1024 are root's: set {setting} above, behind a reverse proxy"
    host = setting.replace("port", "host")
    return f"set {host} to an address of this machine, see: ip address"


async def _page(page: Endpoint) -> Finding:
    """A gateway runs: its page should answer, and say that it is well."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(page.host, page.host)
    url = f"http://{Endpoint(host, page.port)}/healthz"
    remedy = "see its log: journalctl -u preau; it may have been started with other settings"
    try:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as answer:
            told = await answer.json()
            if answer.headers.get("Server") != "preau":
                return failed(f"{page} is answered by another program", "set http.port")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        reason = str(error) or "no answer in time"
        return failed(f"a gateway runs, and its page does not answer on {page}: {reason}", remedy)
    if told["status"] != "ok":
        reasons = "; ".join(told["problems"].values()) or "it is not connected to its broker"
        return warning(f"the gateway runs on {page} and says: {reasons}", remedy)
    return good(f"the gateway runs on {page} and is well")
