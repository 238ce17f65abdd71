"""mypy sees through `seldom`: a call by name is checked as one that is written out."""

from pathlib import Path

import mypy.api
import pytest

from simulators.board.program import SOURCES
from tests import mypy_seldom

CALLED = """
GIVEN = 3

def double(number: int) -> int:
    return 2 * number

async def later(number: int, text: str) -> str:
    return text * number
"""


def complaints(folder: Path, text: str) -> list[str]:
    """What mypy says of a module with this text, beside `called`."""
    (folder / "called.py").write_text(CALLED)
    (folder / "calling.py").write_text(f"import seldom\n\n{text}\n")
    (folder / "seldom.py").write_text((SOURCES / "seldom.py").read_text())
    plugin = mypy_seldom.__file__
    config = f"[mypy]\nplugins = {plugin}\nincremental = False\nstrict = True\n"
    (folder / "mypy.ini").write_text(config)
    said = mypy.api.run(["--config-file", str(folder / "mypy.ini"), str(folder / "calling.py")])
    assert not said[1]
    return [line.split(": ", 2)[2] for line in said[0].splitlines() if ": error: " in line]


@pytest.mark.parametrize(
    "text",
    [
        'number: int = seldom.run("called", "double", 2)',
        'number: int = seldom.load("called").double(seldom.load("called").GIVEN)',
        'async def wait() -> str:\n    return await seldom.wait("called", "later", *(2, "x"))',
    ],
)
def test_what_fits_is_no_complaint(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYPYPATH", str(tmp_path))
    assert complaints(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            'seldom.run("called", "double", "2")',
            'Argument 1 to "double" has incompatible type "str"',
        ),
        ('seldom.run("called", "double")', 'Missing positional argument "number"'),
        ('seldom.run("called", "halve", 2)', 'No function "halve" in "called"'),
        (
            'seldom.run("calling_of_mine", "double", 2)',
            'Cannot find implementation or library stub for module named "calling_of_mine"',
        ),
        ('text: str = seldom.run("called", "double", 2)', "Incompatible types in assignment"),
        ('seldom.load("called").halve(2)', 'No "halve" in module "called"'),
        ('seldom.load("called").double("2")', 'Argument 1 to "double" has incompatible type "str"'),
        (
            'async def f() -> int:\n    return await seldom.wait("called", "later", 2, "x")',
            'Incompatible return value type (got "str", expected "int")',
        ),
    ],
)
def test_what_does_not_fit_is_told(
    tmp_path: Path, text: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYPYPATH", str(tmp_path))
    (said,) = complaints(tmp_path, text)
    assert said.startswith(complaint)
