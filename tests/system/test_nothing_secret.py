"""No password, key or token is told by any command, log, page or estate, or shows among processes.

One town over TLS with the real firmware; every command that such a town types, with `--json` where
it has it.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import aiohttp
import pytest

from tests.secure_town import NODE, SecureTown, secure_town
from tests.servers import eventually
from tests.town_broker import TownBroker

# Of the commands that are not typed here, why: other servers, other machines, or no settings.
ELSEWHERE = {
    "dashboards.build": "test_dashboard_queries",
    "dashboards.preview": "test_dashboard_preview",
    "dashboards.push": "test_dashboards_push",
    "demo": "it has no secret",
    "demo-town": "it has no secret",
    "forward": "test_forwarder",
    "import": "it has no secret",
    "influxdb.setup": "test_influxdb_setup",
    "init": "test_stack_runs",
    "node.flash": "test_flash_to_page",
    "node.label": "test_node_labels: set-up codes are what slips are for",
    "restore": "test_backup",
    "run": "runs all the time",
    "simulate": "it takes passwords of another's broker from a variable and a folder",
}


def typed(town: SecureTown, folder: Path) -> list[tuple[str, ...]]:
    """What is typed, in this order. All may say what they like and end as they like."""
    broker = ("--out", str(town.broker.given), "--host", "127.0.0.1")
    port = ("--port", str(town.broker.port), "--pid-file", str(town.pid_file))
    return [
        ("doctor", "--json"),
        ("check", "--json"),
        ("audit", "--json"),
        ("node", "list", "--json"),
        ("node", "battery", NODE, "--json"),
        ("node", "command", NODE, "send-log", "--json"),
        ("node", "command", NODE, "identify", "--json"),
        ("pki", "show", "--json"),
        ("pki", "create", "--town", "Trilport", "--host", "localhost"),
        ("pki", "renew", "broker"),
        ("broker", "config", *broker, *port),
        ("node", "rotate", NODE, *town.to_broker),
        ("node", "command", NODE, "send-log", "--json"),
        ("pki", "roll", "begin"),
        ("pki", "roll", "status"),
        ("pki", "roll", "finish", *town.to_broker),
        ("firmware", "keys"),
        ("firmware", "build"),
        ("firmware", "sign", "none.bundle"),
        ("node", "update", NODE, "--bundle", "none.bundle"),
        ("node", "add", "3c71bf4a2b11"),
        ("node", "place", NODE, "ferry/cp-a"),
        ("deadletters", "list", "--json"),
        ("deadletters", "show", "1", "--json"),
        ("deadletters", "replay", "--json"),
        ("deadletters", "purge", "--all"),
        ("export", str(folder / "export")),
        ("backup", str(folder / "backup")),
        ("node", "remove", NODE, *town.to_broker, "--json"),
        ("node", "list", "--removed", "--json"),
    ]


def secrets_of(town: SecureTown, *folders: Path) -> set[str]:
    """Every secret that lies in a file: whole, or of a key its lines."""
    found: set[str] = set()
    for folder in (town.broker.folder, town.gateway.data, *folders):
        for file in folder.rglob("*"):
            if file.suffix in {".password", ".rotate", ".token"} and file.is_file():
                found.add(file.read_text().strip())
            elif file.suffix == ".key" and file.is_file():
                text = file.read_bytes().decode("latin-1")
                found |= {line for line in text.splitlines() if len(line) > 20 and "--" not in line}
    return found


def passwords_on(flash: Path) -> set[str]:
    """Those of the node's own, at the broker and of the Wi-Fi."""
    config = json.loads((flash / "config.json").read_text())
    return {config["broker"]["password"], *(one["password"] for one in config["wifi"])}


@contextmanager
def arguments_seen() -> Iterator[set[str]]:
    """The command lines of all processes of this machine, looked at again and again."""
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue  # It has ended.
            ended.wait(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


async def pages_of(town: SecureTown) -> list[str]:
    said = []
    async with aiohttp.ClientSession() as client:
        for path in ("/", "/metrics", "/healthz", "/api/v1/nodes", "/api/v1/openapi.json"):
            async with client.get(f"{town.gateway.url}{path}") as answer:
                said.append(await answer.text())
    return said


def test_every_command_is_typed_or_tested_elsewhere(tmp_path: Path) -> None:
    words = typed(SecureTown(tmp_path, TownBroker(tmp_path / "town", [NODE])), tmp_path)
    here = {".".join(word[:size]) for word in words for size in (1, 2, 3)}
    known = {entry.name for entry in entry_points(group="preau.commands")}
    assert known - here == ELSEWHERE.keys() & known


@pytest.mark.timeout(180)
async def test_no_secret_is_told(tmp_path: Path) -> None:
    with arguments_seen() as said_by_processes:
        async with secure_town(tmp_path) as town, town.board(tmp_path / "board") as board:
            await eventually(town.is_online)
            secrets = secrets_of(town) | passwords_on(board.flash)
            said = await pages_of(town)
            for words in typed(town, tmp_path):
                secrets |= secrets_of(town) | passwords_on(board.flash)
                with town.popen(*words) as process:
                    told, _ = await asyncio.to_thread(process.communicate, timeout=60)
                assert "Usage:" not in told, told
                said.append(f"{' '.join(words)}: {told}")
            secrets |= secrets_of(town) | passwords_on(board.flash)
            said += [*board.output, *await pages_of(town)]
        said += [town.gateway.log.read_text(), town.broker.log.read_text()]
        said += [(town.broker.folder / "estate.toml").read_text()]
        said += [(board.flash / name).read_text() for name in ("diary.txt", "commands.txt")]
    said += said_by_processes
    assert len(secrets) > 10
    assert any(f"{NODE}: uses the new password" in text for text in said)
    told_secrets = [text for text in said if any(secret in text for secret in secrets)]
    assert told_secrets == []
    for file in (*town.broker.folder.rglob("*"), *town.gateway.data.rglob("*")):
        if file.suffix in {".password", ".rotate", ".token", ".key"} or file.name == "passwd":
            assert file.stat().st_mode & 0o077 == 0, file
