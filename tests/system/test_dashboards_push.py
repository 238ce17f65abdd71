"""`preau dashboards push` against a peer that speaks Grafana's interface.

The command runs in a process of its own, since `grafana-client` brings a package that takes the
place of urllib3: `make test` installs it apart.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from dashboards.look import look_of
from dashboards.tree import tree
from tests.grafana_peer import TOKEN, GrafanaPeer
from tests.http_peer import Answer, http_peer
from tests.servers import free_port

CLIENT = Path(sys.prefix) / "grafana-client"
ALL = sorted(Path(name).stem for name in tree(look_of("fr")) if name.startswith("dashboards/"))


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "grafana.token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    return file


async def push(url: str, token: Path, *arguments: str) -> tuple[int, str, str]:
    if not (CLIENT / ".ready").exists():
        message = f"grafana-client is missing: make {CLIENT}/.ready"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    preau = Path(sys.executable).with_name("preau")
    command = [preau, "dashboards", "push", "--url", url, "--token-file", token, *arguments]
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(CLIENT), "PYTHONWARNINGS": "ignore"},
    )
    out, err = await process.communicate()
    assert TOKEN not in out.decode() + err.decode()
    return process.returncode or 0, out.decode(), err.decode()


async def refused(peer: GrafanaPeer, token: Path, *arguments: str) -> str:
    """The one line that is said; nothing was written, or all of it undone."""
    before = (dict(peer.folders), dict(peer.dashboards), dict(peer.groups))
    async with http_peer(rule=peer.rule) as http:
        code, out, err = await push(http.url, token, *arguments)
    assert (code, out) == (1, ""), err
    assert err.count("\n") == 1
    assert (peer.folders, peer.dashboards, peer.groups) == before
    return err


async def test_all_is_there_afterwards_and_a_second_time_changes_nothing(token: Path):
    grafana = GrafanaPeer()
    async with http_peer(rule=grafana.rule) as http:
        code, out, err = await push(http.url, token, "--alerts")
        assert (code, err) == (0, "")
        assert out.count("new: ") == len(ALL) + 1
        assert sorted(grafana.dashboards) == ALL
        assert grafana.folders == {"preau": "Préau"}
        (group,) = grafana.groups.values()
        assert len(group["rules"]) == 7
        writes = len(grafana.writes)
        code, out, err = await push(http.url, token, "--alerts")
        assert (code, err) == (0, "")
        assert out == f"{len(ALL) + 1} were right already\n"
    assert len(grafana.writes) == writes


async def test_a_dry_run_shows_the_difference_and_writes_nothing(token: Path):
    grafana = GrafanaPeer()
    async with http_peer(rule=grafana.rule) as http:
        await push(http.url, token)
        there = grafana.dashboards["preau-salle"]["dashboard"]
        there["title"] = "Salle (à moi)"
        writes = len(grafana.writes)
        code, out, err = await push(http.url, token, "--dry-run")
        assert (code, err) == (0, "")
        assert '- "title": "Salle (à moi)"' in out
        assert '+ "title": "Salle"' in out
        assert out.endswith("1 to change; nothing was\n")
        assert len(grafana.writes) == writes
        code, out, _ = await push(http.url, token)
    assert out.startswith("changed: Salle\n")


async def test_another_data_source_is_named_in_every_query(token: Path):
    grafana = GrafanaPeer()
    grafana.source |= {"uid": "other-uid", "name": "Influx de la ville"}
    async with http_peer(rule=grafana.rule) as http:
        code, _, err = await push(http.url, token, "--datasource", "Influx de la ville", "--alerts")
    assert (code, err) == (0, "")
    everything = f"{grafana.dashboards}{grafana.groups}"
    assert "preau-influxdb" not in everything
    assert everything.count("other-uid") > 50


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"version": "9.5.2"}, "Grafana 9.5.2: the dashboards need 11 or later"),
        ({"source": None}, "has no data source 'preau-influxdb'"),
        ({"source": {"uid": "preau-influxdb", "name": "x", "type": "prometheus"}}, "not InfluxDB"),
        (
            {
                "source": {
                    "uid": "preau-influxdb",
                    "name": "x",
                    "type": "influxdb",
                    "jsonData": {"version": "Flux"},
                }
            },
            "set its query language to InfluxQL",
        ),
        (
            {"health": (400, {"status": "ERROR", "message": "database not found: preau"})},
            "database not found: preau; its database must be the one",
        ),
        ({"role_is_enough": False}, "role Editor"),
        ({"fails": "preau-salle"}, "answers 500: Server Error 500: database is locked; nothing"),
    ],
)
async def test_what_is_wrong_is_one_line_with_the_remedy(token: Path, state: dict, words: str):
    assert words in await refused(GrafanaPeer(**state), token)


async def test_what_was_there_before_is_there_again_after_a_failure(token: Path):
    grafana = GrafanaPeer(folders={"preau": "Préau"})
    there = {"uid": "preau-parc", "title": "An older one", "panels": [], "id": 7, "version": 1}
    grafana.dashboards["preau-parc"] = {"dashboard": there, "meta": {"folderUid": "mine"}}
    grafana.fails = '"uid": "preau-service"'
    assert "nothing was changed" in await refused(grafana, token)
    assert grafana.writes.count("POST /dashboards/db") > 2


def test_a_refused_token_is_said_without_showing_it(token: Path):
    token.write_text("glsa_wrong\n")
    words = asyncio.run(refused(GrafanaPeer(), token))
    assert "refuses the token (401)" in words
    assert "glsa_wrong" not in words


async def test_nobody_there(token: Path):
    code, out, err = await push(f"http://127.0.0.1:{free_port()}", token)
    assert (code, out) == (1, "")
    assert "can't be reached" in err
    assert err.count("\n") == 1


async def test_something_else_there(token: Path):
    async with http_peer(rule=lambda _: Answer(200, "<html>welcome</html>")) as http:
        code, out, err = await push(http.url, token)
    assert (code, out) == (1, "")
    assert "is no Grafana" in err


def test_a_token_that_others_may_read_is_refused(token: Path):
    token.chmod(0o644)
    code, out, err = asyncio.run(push("http://127.0.0.1:1", token))
    assert (code, out) == (2, "")
    assert "chmod 600" in err
