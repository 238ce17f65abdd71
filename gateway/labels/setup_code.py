"""A node's set-up code: eight characters that whoever holds its slip can type.

The code lies in a file of its own, which only its owner reads, from when it is made until its slip
is printed. It is shown on no terminal and in no log. The alphabet is Crockford's base 32, which
leaves out I, L, O and U; what is typed in their place is understood.
"""

import os
import re
import secrets
from pathlib import Path
from typing import Final

from gateway.atomic_file import make_folder, read_private
from ingest.errors import ConfigurationError
from ingest.topics import is_node_id

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 8
_CODE: Final = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_LOOK_ALIKES: Final = str.maketrans("ILO", "110", "- ")


def setup_code_file(credentials: Path, node: str) -> Path:
    """Where the code of a node lies, in the folder of credentials."""
    if not is_node_id(node):
        raise ConfigurationError(f"{node!r} is no node id")
    return credentials / f"{node}.setup"


def make_setup_code(credentials: Path, node: str) -> str:
    """Draw a code for `node` (40 bits) and keep it in its file, which must not be there yet.

    Raises `ConfigurationError`, also where the node has a code.
    """
    file = setup_code_file(credentials, node)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    make_folder(credentials.parent, is_private=True)
    make_folder(credentials, is_private=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"{code}\n")
            stream.flush()
            os.fsync(stream.fileno())
    except FileExistsError as error:
        raise ConfigurationError(f"{file}: {node} has a set-up code already") from error
    except OSError as error:
        raise ConfigurationError(f"{file} can't be written: {error.strerror}") from error
    return code


def read_setup_code(credentials: Path, node: str) -> str:
    """The code of `node`. Raises `ConfigurationError` where there is none, where others may read
    it, or where it is no code; none of them shows what stands in the file.
    """
    file = setup_code_file(credentials, node)
    if not file.exists():
        raise ConfigurationError(f"{node} has no set-up code in {credentials}")
    code = read_private(file).decode("ascii", "replace").strip()
    if not _CODE.fullmatch(code):
        raise ConfigurationError(f"{file} holds no set-up code of {LENGTH} characters")
    return code


def typed_code(text: str) -> str | None:
    """The code that a person typed: any case, with blanks or hyphens, O for 0, I and L for 1.
    `None` where it is none.
    """
    code = text.upper().translate(_LOOK_ALIKES)
    return code if _CODE.fullmatch(code) else None
