"""The firmware's sources as other versions: renumbered, spoilt, or with formats of their own."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from firmware.flasher.bundle import SOURCES

CRASH = "\nraise RuntimeError('this version is broken')\n"
DEAF = "\n\nSession._receipt = lambda self, data: None\n"


def sources_of(
    folder: Path,
    version: str,
    formats: Mapping[str, tuple[int, int]] | None = None,
    **appended: str,
) -> Path:
    """The sources as another version, with something appended to modules. `formats` of outbox and
    settings are the oldest read and the one written.
    """
    sources = folder / f"sources-{version}"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns(".mypy_cache", "__pycache__"))
    says = {"FIRMWARE": f'"{version}"'}
    says |= {name.upper(): str(known) for name, known in (formats or {}).items()}
    release = sources / "release.py"
    text = release.read_text()
    for name, value in says.items():
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1
    release.write_text(text)
    for name, code in appended.items():
        module = sources / f"{name}.py"
        module.write_text(module.read_text() + code)
    return sources
