"""Updates in real MicroPython on LittleFS2, really signed: cut at every step, and refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.firmware.bundle import (
    Bundle,
    Formats,
    Release,
    make_bundle,
    read_bundle,
    signed_message,
)
from simulators.board.program import Program
from tests.unit.firmware.micropython import CHECKS, run_micropython

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SPARE = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
OUTBOX, SETTINGS = Formats(2, 2), Formats(1, 1)


def files_of(mark: str) -> dict[str, bytes]:
    """A small firmware, its bytes of its own version only."""
    return {
        "app.mpy": f"{mark} app ".encode() * 700,
        "drivers/chip.mpy": f"{mark} chip ".encode() * 60,
        "safe.mpy": f"{mark} safe ".encode() * 200,
    }


def release(version: str, **changes: Any) -> Release:
    base = Release(version, "esp32", 6, OUTBOX, SETTINGS)
    return replace(base, **changes)


def signed(bundle: Bundle, key: Ed25519PrivateKey = KEY) -> bytes:
    return replace(bundle, signature=key.sign(signed_message(bundle.manifest))).encoded()


def by_hand(old: str, new: str, key: Ed25519PrivateKey = KEY) -> bytes:
    """A bundle that the builder would not make, rightly signed."""
    bundle = make_bundle(release("1.0.1"), files_of("B"))
    manifest = bundle.manifest.replace(old.encode(), new.encode())
    assert manifest != bundle.manifest
    return signed(replace(bundle, manifest=manifest), key)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys").write_bytes(
        KEY.public_key().public_bytes_raw() + SPARE.public_key().public_bytes_raw()
    )
    (tmp_path / "A").write_bytes(signed(make_bundle(release("1.0.0"), files_of("A"))))
    (tmp_path / "B").write_bytes(signed(make_bundle(release("1.0.1"), files_of("B")), SPARE))
    return tmp_path


@pytest.fixture
def run(program: Program, folder: Path) -> Callable[[str], str]:
    return lambda name: run_micropython(
        program, folder, CHECKS / "run.py", "updating", name, heap="2m"
    )


@pytest.mark.parametrize(
    "check",
    [
        "power_is_cut_at_every_write_and_erase",
        "a_cut_link_goes_on_where_it_was",
        "a_rolled_back_version_is_not_installed_again_by_itself",
        "what_is_cut_off_again_and_again_is_given_up",
        "what_is_no_http_is_refused_and_told",
        "a_job_that_is_damaged_is_given_up",
    ],
)
def test_updates(run: Callable[[str], str], check: str) -> None:
    print(run(check))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def test_what_is_wrong_with_a_bundle_is_told_before_a_byte_of_it_is_used(
    run: Callable[[str], str], folder: Path
) -> None:
    plain = make_bundle(release("1.0.1"), files_of("B"))
    good = signed(plain)
    old = release("0.9.0")
    # name: (bundle, part of the refusal or None, what the command says otherwise)
    cases: dict[str, tuple[bytes, str | None, dict[str, object]]] = {
        "good": (good, None, {}),
        "spare": (signed(plain, SPARE), None, {}),
        "hash": (good, "SHA-256 is not the one announced", {"sha256": "0" * 64}),
        "unsigned": (plain.encoded(), "signed by no key", {}),
        "stranger": (signed(plain, STRANGER), "signed by no key", {}),
        "manifest": (flipped(good, 20), "signed by no key", {}),
        "content": (flipped(good, len(good) - 1), "safe.mpy does not have", {}),
        "longer": (good + b"more", "by its manifest", {}),
        "cut": (good[:-9], "safe.mpy does not have", {}),
        "none": (b"hello, this is no bundle at all" * 9, "no firmware bundle", {}),
        "parent": (by_hand("file app.mpy", "file ../app.mpy"), "'../app.mpy' is not allowed", {}),
        "absolute": (by_hand("file app.mpy", "file /app.mpy"), "is not allowed", {}),
        "deep": (by_hand("file app.mpy", "file a/b/c.mpy"), "is not allowed", {}),
        "main": (by_hand("file app.mpy", "file main.py"), "is not allowed", {}),
        "twice": (by_hand("file drivers/chip.mpy", "file app.mpy"), "is not allowed", {}),
        "kind": (by_hand("preau-firmware 1", "preau-firmware 2"), "another kind", {}),
        "family": (signed(make_bundle(release("1.0.1", family="esp8266"), files_of("B"))),
                   "for esp8266, this is esp32", {}),
        "mpy": (signed(make_bundle(release("1.0.1", mpy=7), files_of("B"))), ".mpy 7", {}),
        "older": (signed(make_bundle(old, files_of("B"))), "not newer", {"version": "0.9.0"}),
        "forced": (signed(make_bundle(replace(old, force=True), files_of("B"))), None,
                   {"version": "0.9.0"}),
        "announced": (good, "announced was 1.0.2", {"version": "1.0.2"}),
        "same": (good, "runs already", {"version": "1.0.0"}),
        "outbox": (signed(make_bundle(release("1.0.1", outbox=Formats(3, 4)), files_of("B"))),
                   "reads outbox 3 to 4, here is 2", {}),
        "waiting": (signed(make_bundle(release("1.0.1", outbox=Formats(3, 4)), files_of("B"))),
                    "reads outbox 3 to 4, here is 2", {}),
        "full": (good, "too big", {"size": 400_000}),
        "huge": (good, "is not between", {"size": 1 << 21}),
        "text": (good, "is not between", {"size": "9"}),
        "https": (good, "no http:// address", {"url": "https://gateway/x"}),
        "short": (good, "the server answers", {"size": len(good) + 1}),
    }  # fmt: skip
    listed = []
    for name, (content, refused, command) in cases.items():
        (folder / name).write_bytes(content)
        listed.append({"name": name, "file": name, "refused": refused, "command": command})
    (folder / "cases.json").write_text(json.dumps(listed))
    told = run("what_is_wrong_with_a_bundle_is_told_before_a_byte_of_it_is_used")
    assert told.splitlines()[-1] == f"{len(cases)} cases", told


def test_the_builders_reading_is_the_nodes(folder: Path) -> None:
    """What the node installs is what the gateway takes the bundle to be."""
    bundle = read_bundle((folder / "B").read_bytes())
    assert bundle.release == release("1.0.1")
    assert bundle.files == files_of("B")
    assert hashlib.sha256(bundle.files["app.mpy"]).hexdigest() in bundle.manifest.decode()
