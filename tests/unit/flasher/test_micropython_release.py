"""Where MicroPython's image comes from: a file, or what the settings pin by its SHA-256."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from firmware.flasher.chips import CHIPS
from firmware.flasher.errors import FlashError
from firmware.flasher.micropython_release import find_image
from gateway.settings import SettingsError, load_settings
from gateway.settings_nodes import MicroPythonSettings
from tests.micropython_image import micropython_image
from tests.servers import free_port

ESP32 = CHIPS[0]
IMAGE = micropython_image()
SHA256 = hashlib.sha256(IMAGE).hexdigest()
ENTRY = f'chip = "esp32"\nfile = "x"\nsha256 = "{SHA256}"\n'


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where the image is published."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "esp32.bin").write_bytes(IMAGE)
    with HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "www"))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/esp32.bin"
        server.shutdown()
        thread.join()


def pinned(file: Path, sha256: str = SHA256, url: str | None = None) -> list[MicroPythonSettings]:
    return [MicroPythonSettings(chip="esp32", file=file, sha256=sha256, url=url)]


def found(pins: list[MicroPythonSettings]) -> bytes:
    return find_image(ESP32, [], pins, lambda _done, _total: None).content


def test_what_is_pinned_is_fetched_once_and_kept(tmp_path, address):
    file = tmp_path / "cache" / "esp32.bin"
    assert found(pinned(file, url=address)) == IMAGE
    assert file.read_bytes() == IMAGE
    (tmp_path / "www" / "esp32.bin").unlink()
    assert found(pinned(file, url=address)) == IMAGE


def test_what_does_not_have_the_hash_is_neither_kept_nor_used(tmp_path, address):
    file = tmp_path / "esp32.bin"
    with pytest.raises(FlashError, match=f"has SHA-256 {SHA256}, and the settings want 00"):
        found(pinned(file, "0" * 64, address))
    assert not file.exists()
    file.write_bytes(IMAGE)
    with pytest.raises(FlashError, match=f"{file} has SHA-256"):
        found(pinned(file, "0" * 64))


def test_without_network_and_without_file_one_line_says_what_to_do(tmp_path):
    url = f"http://127.0.0.1:{free_port()}/esp32.bin"
    with pytest.raises(FlashError, match="without network give --micropython FILE") as told:
        found(pinned(tmp_path / "esp32.bin", url=url))
    assert "\n" not in str(told.value)
    with pytest.raises(FlashError, match="has no url to fetch it from"):
        found(pinned(tmp_path / "esp32.bin"))


def test_a_file_that_is_given_comes_before_what_is_pinned(tmp_path):
    given = tmp_path / "given.bin"
    given.write_bytes(micropython_image(banner=b"MicroPython v1.29.0 on 2026-08-01"))
    image = find_image(ESP32, [given], pinned(tmp_path / "none"), lambda _done, _total: None)
    assert image.version == "v1.29.0"
    with pytest.raises(FlashError, match="can't be read: No such file"):
        find_image(ESP32, [tmp_path / "missing"], [], lambda _done, _total: None)


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (ENTRY.replace(SHA256, "12"), "sha256"),
        (ENTRY.replace("esp32", "arduino"), "chip"),
        (f'{ENTRY}url = "ftp://x/y"', "must begin with https"),
        (f"{ENTRY}[[micropython]]\n{ENTRY}", "has several images"),
    ],
)
def test_mistakes_in_what_is_pinned_are_told(tmp_path, text, because):
    settings = tmp_path / "preau.toml"
    settings.write_text("[[micropython]]\n" + text)
    with pytest.raises(SettingsError, match=because):
        load_settings(settings)
