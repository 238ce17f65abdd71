"""Which nodes the store has heard of. A folder without a store has heard of none."""

from pathlib import Path

from ingest.store.database import FILE_NAME
from ingest.store.reader import StoreReader


def nodes_heard(data_folder: Path) -> list[str]:
    """Every node that has given a presence or a reading. Raises `StoreError`."""
    if not (data_folder / FILE_NAME).exists():
        return []
    with StoreReader(data_folder) as reader:
        return reader.nodes()
