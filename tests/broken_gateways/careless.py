"""The gateway of a scenario whose decoder was not made for what anybody may send.

`python -m tests.broken_gateways.careless SETTINGS CLOCK`, as `simulators.scenario.gateway_process`.
"""

import json

import ingest.pipeline
from ingest.senml import decode_pack
from simulators.scenario import gateway_process


def decode_carelessly(payload, node, received_at_ms):
    first = json.loads(payload)[0]
    assert first["bver"]
    return decode_pack(payload, node, received_at_ms)


if __name__ == "__main__":
    ingest.pipeline.decode_pack = decode_carelessly
    gateway_process.main()
