"""Building, signing and keeping firmware bundles."""

import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from firmware.flasher.bundle import SOURCES, build_bundle, flash_files
from gateway.firmware.bundle import (
    Bundle,
    BundleError,
    Formats,
    Release,
    make_bundle,
    read_bundle,
)
from gateway.firmware.keys import KEY, PUBLIC_KEYS, SPARE, FirmwareKeys
from gateway.firmware.shelf import Shelf
from ingest.errors import ConfigurationError

RELEASE = Release("1.2.3", "esp32", 6, Formats(1, 1), Formats(1, 1))


@pytest.fixture
def bundle() -> Bundle:
    return make_bundle(RELEASE, {"b.mpy": b"bb", "a.mpy": b"a", "drivers/c.mpy": b"ccc"})


@pytest.fixture
def keys(tmp_path: Path) -> FirmwareKeys:
    keys = FirmwareKeys(tmp_path / "keys")
    keys.create()
    return keys


def test_what_is_made_reads_back(bundle: Bundle) -> None:
    again = read_bundle(bundle.encoded())
    assert again == bundle
    assert list(again.files) == ["a.mpy", "b.mpy", "drivers/c.mpy"]
    assert not again.is_signed


@pytest.mark.parametrize(
    "path", ["../a.mpy", "/a.mpy", "a.py", "A.mpy", "x/y/z.mpy", ".mpy", "a\n.mpy", "a b.mpy", ""]
)
def test_a_path_that_nodes_refuse_is_refused_here_too(path: str) -> None:
    with pytest.raises(BundleError, match=r"name\.mpy"):
        make_bundle(RELEASE, {path: b"x"})


@pytest.mark.parametrize("version", ["1.2", "1.2.3-rc1", "v1.2.3", "1.2.03", "1.2.3\n", ""])
def test_a_version_that_can_not_be_compared_is_refused(version: str) -> None:
    with pytest.raises(BundleError, match="three numbers"):
        replace(RELEASE, version=version)


def test_any_single_damaged_byte_is_noticed(bundle: Bundle, keys: FirmwareKeys) -> None:
    data = keys.sign(bundle).encoded()
    for at in range(len(data)):
        damaged = data[:at] + bytes((data[at] ^ 0x01,)) + data[at + 1 :]
        try:
            accepted = keys.is_signed(read_bundle(damaged))
        except BundleError:
            accepted = False
        assert not accepted, at


def test_a_cut_bundle_is_refused_at_every_length(bundle: Bundle) -> None:
    data = bundle.encoded()
    for size in range(len(data)):
        with pytest.raises(BundleError):
            read_bundle(data[:size])


def test_keys_are_made_once_and_for_their_owner_alone(keys: FirmwareKeys) -> None:
    for name in (KEY, SPARE):
        assert stat.S_IMODE((keys.folder / name).stat().st_mode) == 0o600
    before = keys.public_keys()
    with pytest.raises(ConfigurationError, match="they are kept"):
        keys.create()
    assert keys.public_keys() == before
    assert len(before) == 64
    assert before[:32] != before[32:]


def test_the_spare_signs_as_well_and_a_stranger_does_not(
    bundle: Bundle, keys: FirmwareKeys, tmp_path: Path
) -> None:
    assert keys.is_signed(keys.sign(bundle))
    spare = shutil.move(keys.folder / SPARE, tmp_path / "offline.key")
    assert keys.is_signed(keys.sign(bundle, Path(spare)))
    stranger = FirmwareKeys(tmp_path / "stranger")
    stranger.create()
    assert not keys.is_signed(stranger.sign(bundle))
    with pytest.raises(ConfigurationError, match="neither of the two"):
        keys.sign(bundle, stranger.folder / KEY)


def test_a_key_that_others_may_read_is_not_used(bundle: Bundle, keys: FirmwareKeys) -> None:
    (keys.folder / KEY).chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        keys.sign(bundle)


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns(".mypy_cache"))
    assert build_bundle(copy).encoded() == build_bundle().encoded()


def test_a_node_s_flash_holds_the_bundle_and_what_starts_it(keys: FirmwareKeys) -> None:
    bundle = build_bundle()
    files = flash_files(bundle, keys.public_keys())
    assert {"boot.py", "main.py", "slots.mpy", "crash.mpy", "firmware.keys"} <= set(files)
    assert files["a/manifest"] == bundle.manifest
    assert {name.removeprefix("a/") for name in files if name.startswith("a/")} == (
        set(bundle.files) | {"manifest"}
    )
    assert "main.mpy" not in bundle.files
    # No half of the private keys leaves the gateway.
    assert not any(b"PRIVATE KEY" in content for content in files.values())


def test_sources_that_do_not_compile_are_told(tmp_path: Path) -> None:
    copy = tmp_path / "sources"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns(".mypy_cache"))
    (copy / "app.py").write_text("def broken(:\n")
    with pytest.raises(BundleError, match=r"app\.py can't be compiled"):
        build_bundle(copy)


def test_only_names_of_bundles_that_are_there_are_found(bundle: Bundle, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.keys.create()
    file = shelf.put(shelf.keys.sign(bundle))
    (shelf.folder / "other.txt").write_text("no bundle")
    (shelf.folder / "link.bundle").symlink_to(tmp_path / "keys" / KEY)
    assert shelf.names() == [file.name]
    for name in ("../keys/firmware.key", "link.bundle", "other.txt", "", ".", "none.bundle"):
        assert shelf.file(name) is None, name


def test_an_unsigned_bundle_is_not_offered(bundle: Bundle, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.keys.create()
    file = shelf.put(bundle)
    with pytest.raises(BundleError, match=f"preau firmware sign {file.name}"):
        shelf.offer(file.name)
    shelf.put(shelf.keys.sign(shelf.read(file.name)))
    assert shelf.offer(file.name).version == "1.2.3"
    assert (shelf.folder / PUBLIC_KEYS).exists() is False
