"""Nothing is acknowledged before it is on the disk: read off the system calls of the gateway.

A kill can't show this, since the kernel keeps what a killed process wrote.
"""

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


def messages(now_s: int) -> list[tuple[str, bytes, bytes]]:
    """(kind of topic, payload, bytes of it as the store writes them), of each path to a PUBACK."""
    marks = [20.01 + n for n in range(PACKS)]
    found = []
    for seq, value in enumerate(marks, 1):
        pack = [Reading("temperature", "main", (now_s - 100 + seq) * 1000, value)]
        payload = encode_pack(NODE, pack, log="aa00aa00", seq=seq, first=1)
        found.append(("readings", payload, struct.pack("<d", value)))
    unnumbered = b'[{"bn":"urn:dev:mac:3c71bffffe4a2b10_","bt":%d,"n":"co2","u":"ppm","v":777.25}]'
    quantity = b'[{"bn":"urn:dev:mac:3c71bffffe4a2b10_","bt":%d,"n":"radon","u":"Bq","v":41.25}]'
    return [
        *found,
        ("readings", unnumbered % now_s, struct.pack("<d", 777.25)),
        ("readings", b"no pack, and kept as it is", b"no pack, and kept as it is"),
        ("readings", quantity % now_s, b"41.25"),
        ("presence", b'{"online": true, "firmware": "9.8.7-synced"}', b"9.8.7-synced"),
        ("presence", b"no presence, and kept", b"no presence, and kept"),
    ]


def is_stored(gateway: Gateway, mark: bytes) -> bool:
    """Whether a committed row holds these bytes."""
    wanted = (
        "SELECT 1 FROM journal WHERE instr(readings, :mark)"
        " UNION ALL SELECT 1 FROM dead_letter WHERE instr(payload, :mark)"
        " UNION ALL SELECT 1 FROM presence WHERE instr(CAST(payload AS BLOB), :mark)"
    )
    with gateway.reader() as reader:
        return bool(reader.ask(lambda c: c.execute(wanted, {"mark": mark}).fetchone()))


async def test_the_wal_is_synced_between_a_messages_write_and_its_puback(
    mosquitto: Server, tmp_path: Path
):
    """Packs with and without number, dead letters whole and in part, presences good and bad."""
    strace = require("strace")
    trace = tmp_path / "trace"
    calls = "trace=pwrite64,fdatasync,sendto,sendmsg,write,writev"
    prefix = [strace, "-f", "-yy", "-xx", "-s", "9000", "-e", calls, "-o", str(trace)]
    sent = messages(int(time.time()))
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, NODE)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    # A forwarder keeps rows in the journal, and has no say in what is acknowledged.
    nowhere = '[[forwarder]]\nname = "away"\napi = "v1"\nurl = "http://127.0.0.1:9"\n'
    service = Gateway(tmp_path / "gateway", mosquitto.port, prefix=prefix, extra=nowhere)
    with running(service) as gateway:
        await eventually(gateway.is_well)
        for kind, payload, mark in sent:
            client.publish(f"preau/v1/{NODE}/{kind}", payload, qos=1)
            # One after the other, so that the n-th PUBACK is that of the n-th message.
            await eventually(lambda mark=mark: is_stored(gateway, mark), 30)
    client.disconnect()
    client.loop_stop()
    events = events_of(trace.read_text())
    # MQTT 5 (section 3.4): 0x40, remaining length 2 for "success" without properties.
    pubacks = [
        i for i, (what, data) in enumerate(events) if what == "send" and '"\\x40\\x02' in data
    ]
    assert len(pubacks) == len(sent), "one PUBACK a message, each in a packet of its own"
    for (_, _, mark), puback in zip(sent, pubacks, strict=True):
        assert_durable_before(events, mark, puback)
    for seq in range(1, PACKS + 1):
        receipt = hexed(b'"stored":[[%d,%d]]' % (seq, seq))
        given = next(
            i for i, (what, data) in enumerate(events) if what == "send" and receipt in data
        )
        assert_durable_before(events, sent[seq - 1][2], given)


def assert_durable_before(events: list[tuple[str, str]], mark: bytes, sent: int) -> None:
    written = next(
        i for i, (what, data) in enumerate(events) if what == "wal write" and hexed(mark) in data
    )
    assert written < sent, "it is written before its node hears of it"
    assert ("wal sync", "") in events[written:sent], "an fdatasync lies between the two"
