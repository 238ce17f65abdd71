"""The list of reasons is whole: what the code gives, what the documentation tells."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ingest.reasons import REASONS

ROOT = Path(__file__).parents[3]
# Where each of these takes its reason.
PLACES = {"PackError": 0, "_RecordError": 0, "_reject": 1, "_letter": 2}


def given(file: Path) -> Iterator[str]:
    """The reasons that a module writes out."""
    for call in ast.walk(ast.parse(file.read_text())):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", "")
        words = [one.value for one in call.keywords if one.arg == "reason" and name == "DeadLetter"]
        if len(call.args) > PLACES.get(name, 99):
            words.append(call.args[PLACES[name]])
        yield from (word.value for word in words if isinstance(word, ast.Constant))


def test_every_reason_that_the_code_gives_is_listed_and_no_other():
    files = [file for area in ("ingest", "gateway") for file in (ROOT / area).rglob("*.py")]
    assert {reason for file in files for reason in given(file)} == REASONS


def test_every_reason_is_told_in_the_documentation():
    text = (ROOT / "docs" / "contract.md").read_text()
    tables = text.partition("Whole messages:")[2].split("\n#")[0]
    rows = re.findall(r"^\| (`.*?) \|", tables, re.MULTILINE)
    assert {reason for row in rows for reason in re.findall(r"`(\w+)`", row)} == REASONS
