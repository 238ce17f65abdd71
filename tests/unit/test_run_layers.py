"""`make test` tells of each layer, and fails where one failed, with its tests shared out or not."""

from pathlib import Path

import pytest

from tests import run_layers

PASSES = "def test_that_passes(): pass\n"
FAILS = "def test_that_fails(): assert 1 == 2, 'no such number'\n"
NEEDS_A_SERVER = (
    "from tests.servers import require\n"
    "def test_needs(): require('no-such-server', 'its-package')\n"
)


@pytest.fixture(autouse=True)
def two_layers(monkeypatch):
    monkeypatch.setattr(run_layers, "LAYERS", {"shared": 2, "alone": 0})


def run(folder: Path, *options: str, **contents: str) -> int:
    for layer, content in contents.items():
        (folder / layer).mkdir()
        (folder / layer / "test_layer.py").write_text(content)
    return run_layers.main(list(options), folder)


@pytest.mark.parametrize("failing", ["shared", "alone"])
def test_a_layer_that_fails_is_told_and_the_other_runs(tmp_path, capfd, failing):
    contents = {"shared": PASSES, "alone": PASSES} | {failing: PASSES + FAILS}
    assert run(tmp_path, **contents) == 1
    told = capfd.readouterr().out
    assert "AssertionError: no such number" in told
    results = dict(line.split()[::2] for line in told.splitlines()[-2:])
    assert results == {"shared": "passed", "alone": "passed"} | {failing: "FAILED"}


def test_pytests_options_reach_every_layer(tmp_path, capfd):
    assert run(tmp_path, "-k", "that_passes", shared=PASSES + FAILS, alone=FAILS) == 0
    shared, alone = capfd.readouterr().out.splitlines()[-2:]
    assert (shared.split()[2:], alone.split()[2:]) == (["passed"], ["no", "tests"])


def test_a_missing_server_fails_where_ci_says_so(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("CI", "true")
    assert run(tmp_path, shared=NEEDS_A_SERVER, alone=PASSES) == 1
    assert "no-such-server is missing: apt-get install its-package" in capfd.readouterr().out
