"""Private names become short and few; what a program does stays the same."""

from pathlib import Path
from typing import Any

import pytest

from firmware.compact import compact
from simulators.board.program import HEAP_WITH_COMPILER, SOURCES, STAND_INS, Program
from tests.unit.firmware.micropython import CHECKS, run_micropython


def shortened(**sources: str) -> dict[str, str]:
    texts = {Path(f"{name}.py"): text for name, text in sources.items()}
    return {path.stem: text for path, text in compact(texts).items()}


def test_names_that_never_meet_are_called_alike() -> None:
    short = shortened(one="_first = 1\n", two="_second = 2\n")
    assert short == {"one": "_a = 1\n", "two": "_a = 2\n"}


def test_a_name_is_the_same_in_every_file() -> None:
    short = shortened(
        one="class A:\n    def __init__(self):\n        self._x = 1\n        self._y = 2\n",
        two="def f(a):\n    _z = 3\n    return a._y, _z\n",
    )
    scope: dict[str, object] = {}
    exec(short["one"] + short["two"] + "result = f(A())\n", scope)  # noqa: S102 - our own text
    assert scope["result"] == (2, 3)


def test_a_derived_class_shares_no_name_with_its_base() -> None:
    short = shortened(
        base="class Base:\n    def __init__(self):\n        self._kept = 1\n",
        derived="from base import Base\nclass Derived(Base):\n    _own = 2\n",
    )
    assert "_a" in short["base"]
    assert "_a" not in short["derived"]


def test_public_names_texts_and_comments_stay() -> None:
    text = 'x = 2\ndef f(x, __y=1):\n    """_x"""\n    _ = "__y"  # _z\n    return x\n'
    assert shortened(one=text)["one"] == text


def test_the_import_of_const_is_left_out_and_lines_stay() -> None:
    text = "from micropython import const\n\nX = const(2)\n"
    assert shortened(one=text)["one"] == "\n\nX = const(2)\n"


def test_imports_for_types_are_left_out_and_lines_stay() -> None:
    text = "import os\n\nTYPE_CHECKING = False\nif TYPE_CHECKING:\n"
    text += "    from a import A\n\n    B = A\n"
    rest = "\nx = os\nif x:\n    y = 2\n"
    assert shortened(one=text + rest)["one"] == "import os\n" + 6 * "\n" + rest


def test_annotations_change_no_name() -> None:
    plain = "def f(first, other):\n    return first - other\n\ndef g(last): return last\n"
    typed = plain.replace("(first, other)", "(first: last, other: _b) -> _c")
    assert shortened(one=typed)["one"].partition(":")[0].startswith("def f(_a")
    assert (
        shortened(one=plain)["one"].splitlines()[1:] == shortened(one=typed)["one"].splitlines()[1:]
    )


def test_arguments_of_functions_share_few_names() -> None:
    short = shortened(
        one="def f(first, other):\n    return first - other\n\ndef g(last): return last\n"
    )
    scope: dict[str, Any] = {}
    exec(short["one"], scope)  # noqa: S102 - our own text
    assert (scope["f"](5, 2), scope["g"](1)) == (3, 1)
    assert "def g(_a)" in short["one"]
    assert not any(name in short["one"] for name in ("first", "other", "last"))


def test_an_argument_keeps_its_name_where_it_is_passed_by_name() -> None:
    text = "def f(first):\n    return first\n\nf(first=1)\n"
    assert shortened(one=text)["one"] == text


def test_no_variable_is_called_like_a_constant_of_its_file() -> None:
    """MicroPython puts the constant's value in for the name wherever it stands."""
    short = shortened(one="_ONE = const(1)\n\ndef f(first):\n    return first\n")
    assert short["one"].split(" ")[0] not in short["one"].split("def f")[1]


def test_a_private_name_in_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one\.py:2: '_x' is a private name in a text"):
        shortened(one='_x = 1\nprint(globals()["_x"])\n')


def test_the_firmware_has_few_private_names_left() -> None:
    texts = {path.relative_to(SOURCES): path.read_text() for path in SOURCES.rglob("*.py")}
    short = compact(texts)
    assert [len(text.splitlines()) for text in short.values()] == [
        len(text.splitlines()) for text in texts.values()
    ]
    assert compact(texts) == short
    assert not any("TYPE_CHECKING" in text for text in short.values())


def test_micropython_takes_the_sources_as_they_are(tmp_path: Path) -> None:
    """Where mpy-cross is missing nothing is compacted: what is for mypy alone must not be run."""
    raw = Program(SOURCES, STAND_INS, HEAP_WITH_COMPILER)
    script = CHECKS / "read_sources.py"
    said = run_micropython(raw, tmp_path, script, SOURCES, heap=HEAP_WITH_COMPILER)
    assert int(said) == len(list(SOURCES.rglob("*.py")))
