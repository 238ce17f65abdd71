"""Checks of `preau doctor` stand by themselves: one that fails or hangs hinders no other."""

import asyncio
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gateway.checks import tools
from gateway.checks.finding import Finding, Given, Level, good
from gateway.doctor import GROUP, examine
from gateway.settings import DataSettings, Settings
from ingest.errors import StoreError
from ingest.estate.model import Estate


async def fine(given: Given) -> list[Finding]:
    return [good(f"at {given.now_ms}")]


async def crashes(given: Given) -> list[Finding]:
    raise KeyError("a bug\nof two lines")


async def can_not_look(given: Given) -> list[Finding]:
    raise StoreError("the store is damaged")


async def hangs(given: Given) -> list[Finding]:
    await asyncio.Event().wait()
    return []


def given(folder: Path) -> Given:
    return Given(Settings(data=DataSettings(dir=folder)), Estate(), 7, is_running=False)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("crashes", "the check itself failed: KeyError: 'a bug\\nof two lines'"),
        ("can_not_look", "the store is damaged"),
        ("hangs", "no answer within 0.2 s"),
        ("absent", "the check itself failed: AttributeError"),
    ],
)
async def test_a_check_that_can_not_look_is_one_line_and_the_others_go_on(tmp_path, target, said):
    entries = [EntryPoint(name, f"{__name__}:{name}", GROUP) for name in (target, "fine")]
    found = await examine(given(tmp_path), entries, limit_s=0.2)

    by_name = {one.check: one.finding for one in found}
    assert by_name["fine"] == good("at 7")
    assert by_name[target].level is Level.FAILED
    assert by_name[target].text.startswith(said)
    assert "\n" not in by_name[target].text
    assert by_name[target].remedy


async def test_what_is_not_installed_is_named_as_pip_knows_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "_TOOLS", {"segno": "segno", "no_such_module": "no-such-package"})
    [found] = await tools.check(given(tmp_path))
    assert found.level is Level.WARNING
    assert found.text.endswith(" no-such-package are missing")
    assert "preau[flash]" in found.remedy
