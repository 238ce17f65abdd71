"""`esp32` as far as the firmware uses it."""

HEAP_DATA = 4
HEAP_EXEC = 1


def idf_heap_info(capabilities):
    """(total, free, largest free block, minimum free ever) of each region."""
    return [(114_000, 61_000, 45_056, 52_000), (16_000, 3_000, 2_048, 1_000)]
