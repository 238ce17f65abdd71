"""SenML JSON (RFC 8428) of contract v1. Pure: the time of reception is an argument."""

from ingest.senml.decode import AHEAD_MS, MAX_PAYLOAD_BYTES, decode_pack
from ingest.senml.encode import encode_pack
from ingest.senml.salvage import salvage_position
from ingest.senml.version import VERSION

__all__ = [
    "AHEAD_MS",
    "MAX_PAYLOAD_BYTES",
    "VERSION",
    "decode_pack",
    "encode_pack",
    "salvage_position",
]
