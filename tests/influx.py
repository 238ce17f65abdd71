"""A real InfluxDB 1.6.7 for the tests, and what it answers."""

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.servers import Server, free_port, require


def influxdb_server(folder: Path, port: int | None = None, extra: str = "") -> Server:
    """Debian's `influxd` on the loopback, its data in `folder`: they outlive a restart."""
    port = port or free_port()
    settings = folder / f"influxdb-{port}.conf"
    settings.write_text(
        "reporting-disabled = true\n"
        f'bind-address = "127.0.0.1:{free_port()}"\n'
        f'[meta]\ndir = "{folder}/influx-meta"\n'
        f'[data]\ndir = "{folder}/influx-data"\nwal-dir = "{folder}/influx-wal"\n'
        'index-version = "inmem"\nquery-log-enabled = false\n'
        f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n'
        "[monitor]\nstore-enabled = false\n"
        '[logging]\nlevel = "warn"\n' + extra
    )
    command = [require("influxd", "influxdb"), "-config", settings]
    return Server(command, port, folder / f"influxdb-{port}.log")


def influx_query(port: int, q: str, db: str = "preau") -> list[dict[str, Any]]:
    """The series of the first statement's answer; times in milliseconds."""
    query = urllib.parse.urlencode({"db": db, "q": q, "epoch": "ms"}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/query", query, timeout=60) as answer:
        (result,) = json.load(answer)["results"]
    assert "error" not in result, result
    return result.get("series", [])
