"""Signatures that `cryptography` makes verify in MicroPython, and no others do; SHA-512 agrees."""

import hashlib
import json
import random
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from simulators.board.program import Program
from tests.unit.firmware.micropython import run_micropython

VERIFY = """
import json
from ed25519 import verify
with open("cases.json") as file:
    for case in json.load(file):
        print(verify(*[bytes.fromhex(text) for text in case]))
"""
DIGEST = """
import json
from sha512 import digest
with open("messages.json") as file:
    for message in json.load(file):
        print(digest(bytes.fromhex(message)).hex())
"""


def test_random_messages_verify_as_cryptography_says(program: Program, tmp_path: Path) -> None:
    draw = random.Random(5)
    cases, expected = [], []
    for number in range(24):
        key = Ed25519PrivateKey.from_private_bytes(draw.randbytes(32))
        message = draw.randbytes(draw.randrange(200))
        signature = key.sign(message)
        if number % 3 == 2:
            at = draw.randrange(64)
            flipped = signature[at] ^ 1 << draw.randrange(8)
            signature = signature[:at] + bytes((flipped,)) + signature[at + 1 :]
        public = key.public_key().public_bytes_raw()
        cases.append([public.hex(), message.hex(), signature.hex()])
        expected.append(str(number % 3 != 2))
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    (tmp_path / "verify.py").write_text(VERIFY)
    assert run_micropython(program, tmp_path, "verify.py").split() == expected


def test_sha512_agrees_at_every_length_around_a_block(program: Program, tmp_path: Path) -> None:
    draw = random.Random(7)
    messages = [draw.randbytes(size) for size in (0, 1, 63, 110, 111, 112, 113, 127, 128, 129, 300)]
    (tmp_path / "messages.json").write_text(json.dumps([message.hex() for message in messages]))
    (tmp_path / "digest.py").write_text(DIGEST)
    answered = run_micropython(program, tmp_path, "digest.py").split()
    assert answered == [hashlib.sha512(message).hexdigest() for message in messages]
