"""Folders for backups: the working folder of a test is its own."""

from pathlib import Path

import pytest

from ingest.store.writer import StoreWriter
from tests.unit.archive.backups import ESTATE, SETTINGS, SITE, fill


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREAU_SETTINGS", raising=False)


@pytest.fixture
def town(here: None, tmp_path: Path) -> Path:
    """The folder of a gateway that is stopped: settings, estate and store."""
    folder = tmp_path / "town"
    (folder / "town.d").mkdir(parents=True)
    (folder / "preau.toml").write_text(SETTINGS)
    (folder / "town.toml").write_text(ESTATE)
    (folder / "town.d" / "école.toml").write_text(SITE)
    with StoreWriter(folder / "data") as store:
        fill(store)
    return folder
