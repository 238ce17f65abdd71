"""What waits in the journal is cut into batches that a gateway's memory and a server can hold."""

from pathlib import Path

from ingest.archive.intake import ArchiveIntake
from ingest.archive.record import Record
from ingest.forwarder.batches import JournalBatches
from ingest.forwarder.placements import Placements
from ingest.store.cursors import set_forwarders
from ingest.store.writer import StoreWriter

NODE = "3c71bf4a2b10"
T0 = 1_763_800_000_000
IMPORTED = 60_000
POINTS = 500


def test_what_an_import_has_left_is_not_one_batch(tmp_path: Path):
    """Its rows of the journal hold up to 20,000 readings each: two thousand fill any memory."""
    with StoreWriter(tmp_path) as store:
        store.change(set_forwarders, ["town"])
        intake = ArchiveIntake(store, T0 + 10**9)
        intake.take(Record(NODE, "co2", T0 + n * 1000, 800.0) for n in range(IMPORTED))
        batches = JournalBatches(Placements({}), POINTS)
        after, sizes = 0, []
        while (batch := store.change(batches.after, after)) is not None:
            sizes.append(len(batch.lines))
            after = batch.last_id
            assert batch.is_full
    assert sum(sizes) == IMPORTED
    assert max(sizes) <= 20_000
