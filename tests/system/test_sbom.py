"""`make sbom`: what a gateway runs is in the bill of materials, with versions and hashes."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==([^ ]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def sbom(tmp_path_factory):
    if not (ROOT / ".venv" / "cyclonedx" / ".ready").exists():
        message = "cyclonedx-bom is missing: make sbom"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    if shutil.which("make") is None:
        pytest.skip("make is missing: apt-get install make")
    file = tmp_path_factory.mktemp("dist") / "sbom.json"
    command = ["make", "--no-print-directory", "sbom", f"SBOM={file}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return json.loads(file.read_text())


def test_every_locked_package_is_listed_with_its_hashes(sbom):
    locked = set(PINNED.findall((ROOT / "requirements" / "run.txt").read_text()))
    listed = {(one["name"], one["version"]) for one in sbom["components"]}
    assert len(locked) > 30
    assert listed == locked
    for one in sbom["components"]:
        hashes = [h for reference in one["externalReferences"] for h in reference["hashes"]]
        assert {h["alg"] for h in hashes} == {"SHA-256"}, one["name"]


def test_it_says_what_it_is_of_and_is_the_same_each_time(sbom):
    assert sbom["bomFormat"] == "CycloneDX"
    described = sbom["metadata"]["component"]
    assert described["name"] == "preau"
    assert described["licenses"][0]["license"]["id"] == "EUPL-1.2"
    assert "serialNumber" not in sbom
    assert "timestamp" not in sbom["metadata"]
