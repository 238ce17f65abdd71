"""How large the compiled modules are, and which of them are loaded together."""

import re
from typing import Final

from simulators.board.program import SOURCES, Program

_LOADED_SELDOM: Final = re.compile(r'seldom\.(?:load|run|wait)\(\s*"([\w.]+)"')
# Before the application is loaded, in its place, or while nothing else is: see "Updates" in
# docs/firmware.md.
_NOT_BESIDE_THE_APP: Final = {
    *("boot", "main", "slots", "crash", "safe"),
    *("update_check", "update_install", "update_apply", "ed25519", "sha512"),
}


def sizes(program: Program) -> dict[str, int]:
    """Bytes of each module's `.mpy`, by the name under which it is imported."""
    return {
        ".".join(path.relative_to(program.modules).with_suffix("").parts): path.stat().st_size
        for path in program.modules.rglob("*.mpy")
    }


def loaded_together(program: Program) -> int:
    """Bytes of the modules that stay, drivers apart, and the largest of those used seldom, which
    are there one at a time.
    """
    size = sizes(program)
    seldom = {
        name
        for source in SOURCES.rglob("*.py")
        for name in _LOADED_SELDOM.findall(source.read_text())
    }
    if not {"commands", "battery", "outbox_load", "discovery"} <= seldom:
        raise AssertionError(seldom)
    ours = {name for name in size if not name.startswith("drivers.")} - _NOT_BESIDE_THE_APP
    return sum(size[name] for name in ours - seldom) + max(size[name] for name in ours & seldom)
