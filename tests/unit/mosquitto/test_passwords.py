"""Passwords as Mosquitto keeps them."""

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.mosquitto.passwords import (
    hash_password,
    is_hash,
    is_password,
    matches,
    new_password,
)
from tests.servers import require

# Made by mosquitto_passwd 2.0.11: -b file alice secret
OF_MOSQUITTO = (
    "$7$101$vCysaOGDY4tkClja$bVp8ni9wl3JFeGiWWCK08H/xpMgBqz5qWNvnKhTMxh+"
    "dxVhGb8maATIL4Zh2DvQFdVjqos+x/6X90GEuiMYeQw=="
)


def test_a_hash_of_mosquitto_passwd_is_recognised(tmp_path: Path):
    assert matches("secret", OF_MOSQUITTO)
    assert not matches("secrets", OF_MOSQUITTO)
    file = tmp_path / "passwd"
    file.touch(mode=0o600)
    program = require("mosquitto_passwd", "mosquitto")
    subprocess.run([program, "-b", file, "bob", "çà et là"], check=True, capture_output=True)
    assert matches("çà et là", file.read_text().strip().removeprefix("bob:"))


def test_a_hash_has_the_form_of_mosquittos():
    ours, theirs = hash_password(new_password()).split("$"), OF_MOSQUITTO.split("$")
    assert ours[:3] == theirs[:3] == ["", "7", "101"]
    assert [len(part) for part in ours] == [len(part) for part in theirs]


@given(st.text())
def test_a_password_fits_its_own_hash_alone(password: str):
    hashed = hash_password(password)
    assert is_hash(hashed)
    assert matches(password, hashed)
    assert not matches(f"{password} ", hashed)
    assert hash_password(password) != hashed, "two with one password must not look alike"


@given(st.text())
def test_what_is_no_hash_fits_nothing(text: str):
    assert is_hash(text) or not matches("", text)


def test_passwords_are_128_random_bits():
    drawn = {new_password() for _ in range(1000)}
    assert len(drawn) == 1000
    assert all(is_password(one) and len(bytes.fromhex(one)) == 16 for one in drawn)
