"""Nothing is acknowledged before it is on the disk: read off the system calls of the gateway.

A kill can't show this, since the kernel keeps what a killed process wrote.
"""

import json
import re
import struct
import time
from pathlib import Path

import paho.mqtt.client as mqtt

from ingest.readings import Reading
from ingest.senml import encode_pack
from tests.gateway import Gateway
from tests.servers import Server, eventually, require, running

NODE = "3c71bf4a2b10"
PACKS = 5
SENDS = ("sendto", "sendmsg", "write", "writev")

_CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<arguments>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>")


def hexed(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def events_of(trace: str) -> list[tuple[str, str]]:
    """(what, data): 'wal write' as it begins, 'wal sync' as it ends, 'send' as it begins."""
    events = []
    syncing: set[str] = set()
    for line in trace.splitlines():
        if resumed := _RESUMED.match(line):
            if resumed["name"] == "fdatasync" and resumed["pid"] in syncing:
                syncing.discard(resumed["pid"])
                events.append(("wal sync", ""))
            continue
        call = _CALL.match(line)
        if call is None:
            continue
        on_wal = f"{hexed(b'preau.db-wal')}>" in call["arguments"].split(",")[0]
        if call["name"] == "pwrite64" and on_wal:
            events.append(("wal write", call["arguments"]))
        elif call["name"] == "fdatasync" and on_wal:
            if "unfinished" in line:
                syncing.add(call["pid"])
            else:
                events.append(("wal sync", ""))
        elif call["name"] in SENDS and "TCP" in call["arguments"].split(",")[0]:
            events.append(("send", call["arguments"]))
    return events


async def test_the_wal_is_synced_between_a_packs_write_and_its_puback(
    mosquitto: Server, tmp_path: Path
):
    strace = require("strace")
    trace = tmp_path / "trace"
    calls = "trace=pwrite64,fdatasync,sendto,sendmsg,write,writev"
    prefix = [strace, "-f", "-yy", "-xx", "-s", "9000", "-e", calls, "-o", str(trace)]
    now_s = int(time.time())
    values = [20.01 + n for n in range(PACKS)]
    receipts: list[dict] = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, NODE)
    client.on_message = lambda _c, _u, message: receipts.append(json.loads(message.payload))
    client.connect("127.0.0.1", mosquitto.port)
    client.subscribe(f"preau/v1/{NODE}/receipts")
    client.loop_start()
    with running(Gateway(tmp_path / "gateway", mosquitto.port, prefix=prefix)) as gateway:
        await eventually(gateway.is_well)
        for seq, value in enumerate(values, 1):
            pack = [Reading("temperature", "main", (now_s - 100 + seq) * 1000, value)]
            payload = encode_pack(NODE, pack, log="aa00aa00", seq=seq, first=1)
            client.publish(f"preau/v1/{NODE}/readings", payload, qos=1)
            # One after the other, so that the n-th PUBACK is that of the n-th pack.
            await eventually(lambda seq=seq: len(receipts) >= seq, 30)
        assert gateway.process is not None
    client.disconnect()
    client.loop_stop()
    events = events_of(trace.read_text())
    # MQTT 5 (section 3.4): 0x40, remaining length 2 for "success" without properties.
    pubacks = [
        i for i, (what, data) in enumerate(events) if what == "send" and '"\\x40\\x02' in data
    ]
    assert len(pubacks) == PACKS, "one PUBACK a pack, each in a packet of its own"
    for value, puback in zip(values, pubacks, strict=True):
        wanted = hexed(struct.pack("<d", value))
        written = next(
            i for i, (what, data) in enumerate(events) if what == "wal write" and wanted in data
        )
        assert written < puback, "the pack is written before its PUBACK"
        assert ("wal sync", "") in events[written:puback], "an fdatasync lies between the two"
