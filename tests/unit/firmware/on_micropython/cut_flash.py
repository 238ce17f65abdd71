"""Runs something on LittleFS2 over flash that is cut after N writes or erases, for every N."""

import gc
import os

import vfs
from block_device import Flash

_BLOCKS = 8


def _on(flash, work):
    """(whether `work` ended with the power on, what it gave)."""
    try:
        vfs.mount(vfs.VfsLfs2(flash), "/flash")
    except OSError:
        assert flash.off
        return False, None
    os.chdir("/flash")
    try:
        return True, work()
    except (OSError, ValueError):
        assert flash.off, "failed with the power on"
        return False, None
    finally:
        os.chdir("/")
        vfs.umount("/flash")


def image(work):
    """A flash on which `work` was done."""
    flash = Flash(_BLOCKS)
    vfs.VfsLfs2.mkfs(flash)
    assert _on(flash, work)[0]
    return bytes(flash.data)


def at_every_cut(before, work, look, right):
    """`right` gets what `look` finds on the flash after each cut, and whether `work` had ended."""
    flash = Flash(_BLOCKS, before)
    assert _on(flash, work)[0]
    changes = flash.changes
    assert changes > 0
    for cut_after in range(changes + 1):
        flash = Flash(_BLOCKS, before)
        flash.cut_after = cut_after
        ended, _ = _on(flash, work)
        flash.cut_after = None
        powered, found = _on(flash, look)
        assert powered and right(found, ended), (cut_after, found, ended)
        flash = None
        gc.collect()
    print("cut at each of", changes, "writes and erases")
