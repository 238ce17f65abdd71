"""What a TLS connection trusts: the town's own authorities and no other.

The files of `config.json` are the first slot. `ca.next` is the second: the authority that takes the
place of the first while the town changes it. It does so once the gateway has answered in a session
that it alone has vouched for.
"""

import binascii
import hashlib
import os
import ssl

from diary import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from link import Link
    from node_types import Json

_NEXT = "ca.next"


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()  # type: ignore[no-any-return]
    except OSError:
        return None


def tls_context(paths: list[str]) -> ssl.SSLContext:
    """An SSLContext that trusts the certificates (DER) in these files. Raises OSError where none
    is there, and ValueError for what is no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED  # type: ignore[attr-defined]
    found = [data for data in map(_read, paths) if data]
    if not found:
        raise OSError("no authority in {}".format(paths))
    for data in found:
        context.load_verify_locations(cadata=data)
    return context


def slots(paths: list[str]) -> list[list[str]]:
    """What to connect with, in this order: lists of files."""
    return [[_NEXT], list(paths)] if _NEXT in os.listdir() else [list(paths)]


def take(link: Link, ca: str | None) -> Json:
    """Fills the second slot with an authority (DER in base64), or with None leaves it; the reply
    tells what is trusted. Raises ValueError with why it is not taken.
    """
    broker = link.broker
    if not broker.get("tls"):
        raise ValueError("an authority is taken over TLS only")
    paths = broker.get("ca", [])
    try:
        if ca is not None:
            _fill(paths, binascii.a2b_base64(ca))
    except (OSError, TypeError) as error:
        raise ValueError("ca: {}".format(error))
    trusted = list(map(_read, paths))
    trusted.append(_read(_NEXT))
    return {"trusts": [_fingerprint(data) for data in trusted if data]}


def _fill(paths: list[str], data: bytes) -> None:
    if [data] == [known for known in map(_read, paths) if known]:
        return  # It has taken the other's place already.
    with open(_NEXT + ".new", "wb") as file:
        file.write(data)
        file.flush()
    tls_context([_NEXT + ".new"])  # ValueError where it is none.
    os.rename(_NEXT + ".new", _NEXT)


def _fingerprint(data: bytes) -> str:
    return binascii.hexlify(hashlib.sha256(data).digest()[:8]).decode()


def promote(paths: list[str]) -> None:
    """The second slot becomes the first; what was there is trusted no more."""
    os.rename(_NEXT, paths[0])
    for path in paths[1:]:
        if _read(path):
            os.remove(path)
    note("authority: changed")
