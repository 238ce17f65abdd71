"""Node-RED 5 with `node-red-contrib-influxdb`, as the reference for the way into InfluxDB.

Installed by npm into a cache outside the repository. Two flows: the one that its documentation
leads to, where each message is a request, and one that a function node batches by hand, which is
its fastest way. In both a message is acknowledged to the broker long before InfluxDB has it.
"""

import json
import shutil
import subprocess
from pathlib import Path

from tests.servers import Server, free_port, require

PACKAGES = ("node@22", "node-red@5.0.7", "node-red-contrib-influxdb@0.7.0")
CACHE = Path.home() / ".cache" / "preau-bench" / "node-red"
MEASUREMENT = "senml"

PLAIN = """
const pack = msg.payload;
const fields = {time: new Date(pack[0].bt * 1000)};
for (const record of pack) { fields[record.n] = record.v; }
return {measurement: '%s', payload: [fields, {node: msg.topic.split('/')[2]}]};
"""

# One message is one pack; a batch goes every 1,000 points or every second.
BATCHED = """
const pack = msg.payload;
const base = pack[0];
const fields = {time: new Date(base.bt * 1000)};
for (const record of pack) { fields[record.n] = record.v; }
const batch = context.get('batch') || [];
batch.push({measurement: '%s', fields: fields,
            tags: {node: msg.topic.split('/')[2]}, timestamp: fields.time});
delete fields.time;
if (batch.length < 1000 && Date.now() - (context.get('sent') || 0) < 1000) {
    context.set('batch', batch);
    return null;
}
context.set('batch', []);
context.set('sent', Date.now());
return {payload: batch};
"""


def install() -> Path:
    """The folder of the installation, made if it is not there."""
    if not (CACHE / "node_modules" / "node-red").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        npm = require("npm")
        command = [npm, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES]
        subprocess.run(command, cwd=CACHE, check=True)
    return CACHE


def node_red(
    folder: Path, broker_port: int, influx_port: int, database: str, *, batched: bool
) -> Server:
    """Node-RED with one of the flows, its data in `folder`."""
    installed = install()
    home = folder / "node-red"
    home.mkdir()
    (home / "node_modules").symlink_to(installed / "node_modules")
    shutil.copy(installed / "package.json", home / "package.json")
    (home / "flows.json").write_text(
        json.dumps(_flow(broker_port, influx_port, database, batched=batched))
    )
    (home / "settings.js").write_text(
        "module.exports = {flowFile: 'flows.json', uiHost: '127.0.0.1',"
        " telemetry: {enabled: false}, logging: {console: {level: 'warn'}}};"
    )
    port = free_port()
    node = installed / "node_modules" / ".bin" / "node"
    program = installed / "node_modules" / "node-red" / "red.js"
    command = [node, program, "--userDir", home, "--settings", home / "settings.js", "-p", port]
    return Server(command, port, folder / "node-red.log")


def _flow(
    broker_port: int, influx_port: int, database: str, *, batched: bool
) -> list[dict[str, object]]:
    return [
        {"id": "tab", "type": "tab", "label": "preau"},
        {
            "id": "broker",
            "type": "mqtt-broker",
            "broker": "127.0.0.1",
            "port": str(broker_port),
            "protocolVersion": "5",
            "cleansession": True,
        },
        {
            "id": "influx",
            "type": "influxdb",
            "hostname": "127.0.0.1",
            "port": str(influx_port),
            "protocol": "http",
            "database": database,
            "influxdbVersion": "1.x",
            "usetls": False,
        },
        {
            "id": "in",
            "type": "mqtt in",
            "z": "tab",
            "broker": "broker",
            "qos": "1",
            "topic": "preau/v1/+/readings",
            "datatype": "json",
            "wires": [["f"]],
        },
        {
            "id": "f",
            "type": "function",
            "z": "tab",
            "func": (BATCHED if batched else PLAIN) % MEASUREMENT,
            "outputs": 1,
            "wires": [["out"]],
        },
        {
            "id": "out",
            "type": "influxdb batch" if batched else "influxdb out",
            "measurement": "",
            "z": "tab",
            "influxdb": "influx",
            "precision": "ms",
            "retentionPolicy": "",
            "wires": [],
        },
    ]
