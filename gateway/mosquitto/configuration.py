"""`mosquitto.conf` for Mosquitto 2.0: one listener with TLS, accounts, bounded queues.

It only writes text; paths are those that the broker sees.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

CONFIGURATION_FILE: Final = "mosquitto.conf"
ACCESS_FILE: Final = "acl"
INFLIGHT_MESSAGES: Final = 5000
QUEUED_MESSAGES: Final = 100_000
QUEUED_BYTES: Final = 256 * 1024 * 1024
MESSAGE_BYTES: Final = 64 * 1024

_TEMPLATE: Final = """\
# Written by preau broker config; it is written anew each time.

# One set of accounts and rights for every listener, so that one that somebody adds is no open door.
per_listener_settings false
allow_anonymous false
password_file {passwords}
acl_file {access}

listener {listener}
certfile {certificate}
keyfile {key}
tls_version tlsv1.2
# A client is known by its account: nobody can take another's session over with its client id.
use_username_as_clientid true

# Nothing on disk: nodes keep what has no receipt, the gateway says its settings again.
persistence false

# The gateway acknowledges after its commit, up to 2,000 at once. Beyond 20 in flight and 1,000
# waiting, Mosquitto by itself drops without a word.
max_inflight_messages {inflight}
max_queued_messages {queued}
# What one client can fill the memory with.
max_queued_bytes {queued_bytes}
# A pack may have 16 KiB and a reply a node's whole log, some 10 KiB. What is larger should arrive
# all the same, to be told about; what is four times as large is dropped here.
message_size_limit {message_bytes}
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice
"""


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """Where the broker finds its files, as absolute paths in its own eyes."""

    passwords: PurePosixPath
    access: PurePosixPath
    certificate: PurePosixPath
    key: PurePosixPath


def configuration(files: BrokerFiles, *, port: int, host: str | None = None) -> str:
    """The configuration. Without `host` it listens on every address of its machine."""
    return _TEMPLATE.format(
        passwords=files.passwords,
        access=files.access,
        listener=f"{port} {host}" if host else port,
        certificate=files.certificate,
        key=files.key,
        inflight=INFLIGHT_MESSAGES,
        queued=QUEUED_MESSAGES,
        queued_bytes=QUEUED_BYTES,
        message_bytes=MESSAGE_BYTES,
    )
