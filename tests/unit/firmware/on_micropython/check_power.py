"""The outbox on LittleFS2 over flash that is cut after N writes or erases, for every N."""

import gc
import os

import vfs
from block_device import Flash
from outbox import SEGMENT_SIZE, Outbox, OutboxError

BLOCKS = 24
_drawn = [0]


def _draw():
    _drawn[0] += 1
    return _drawn[0]


def _formatted():
    flash = Flash(BLOCKS)
    vfs.VfsLfs2.mkfs(flash)
    return bytes(flash.data)


class Story:
    """What was promised: the packs taken, and those that were settled."""

    def __init__(self):
        self.taken = {}
        self.settled = set()
        self.saved = set()


def _payload(number):
    return b"%06d" % number * 70


def _live(box, story, packs, settle_every):
    """Takes packs and settles some, as sending does; ends early when power does."""
    for number in range(packs):
        data = _payload(len(story.taken))
        seq = box.take(data)
        assert (box.log, seq) not in story.taken, "number given twice"
        story.taken[(box.log, seq)] = data
        if settle_every and number % settle_every == settle_every - 1:
            for _ in range(settle_every - 1):
                position = box.fetch()
                if position is not None:
                    _, log, number_of = box.read(position)
                    # Settled is what the gateway holds: it may come again and may be gone.
                    story.settled.add((log, number_of))
                    box.settle(position)
            box.save()


def _powered(flash, max_bytes, story, packs, settle_every):
    """One life; returns whether the power lasted."""
    try:
        vfs.mount(vfs.VfsLfs2(flash), "/flash")
    except OSError:
        assert flash.off
        return False
    try:
        _live(Outbox("/flash/outbox", max_bytes, _draw), story, packs, settle_every)
        return True
    except (OSError, OutboxError):
        assert flash.off, "failed with the power on"
        return False
    finally:
        vfs.umount("/flash")


def _check(flash, max_bytes, story):
    """Opens the outbox of a flash that has power again: nothing taken is lost."""
    flash.cut_after = None
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    box = Outbox("/flash/outbox", max_bytes, _draw)
    found = {}
    while True:
        position = box.fetch()
        if position is None:
            break
        data, log, seq = box.read(position)
        assert (log, seq) not in found
        found[(log, seq)] = data
    for key, data in story.taken.items():
        if key not in story.settled:
            assert found.get(key) == data, ("lost", key)
        else:
            assert found.get(key, data) == data, ("changed", key)
    seq = box.take(b"after")
    assert (box.log, seq) not in story.taken, "number given twice"
    vfs.umount("/flash")


def _at_every_cut(settle_every, lives):
    max_bytes = 8 * SEGMENT_SIZE
    image = _formatted()
    flash = Flash(BLOCKS, image)
    for packs in lives:
        assert _powered(flash, max_bytes, Story(), packs, settle_every)
    changes = flash.changes
    assert changes > 50
    for cut_after in range(changes):
        flash = Flash(BLOCKS, image)
        flash.cut_after = cut_after
        story = Story()
        for packs in lives:
            if not _powered(flash, max_bytes, story, packs, settle_every):
                break
        _check(flash, max_bytes, story)
        flash = None
        gc.collect()
    print("cut at each of", changes, "writes and erases")


def a_cut_while_taking_loses_nothing_taken():
    _at_every_cut(0, (12,))


def a_cut_while_settling_and_deleting_loses_nothing_taken():
    _at_every_cut(4, (16,))


def a_cut_over_two_lives_loses_nothing_taken():
    _at_every_cut(3, (7, 7))


def a_full_flash_drops_the_oldest_and_goes_on():
    flash = Flash(BLOCKS, _formatted())
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    # Bound far beyond what the flash holds.
    box = Outbox("/flash/outbox", 1024 * 1024, _draw)
    taken = {}
    for number in range(300):
        data = _payload(number)
        seq = box.take(data)
        taken[(box.log, seq)] = data
    assert box.dropped > 0
    found = []
    while True:
        position = box.fetch()
        if position is None:
            break
        data, log, seq = box.read(position)
        assert taken[(log, seq)] == data
        found.append(data)
    assert found[-1] == _payload(299) and len(found) > 60, len(found)
    assert len(found) + box.dropped == 300, (len(found), box.dropped)
    assert "done" in os.listdir("/flash/outbox")
    vfs.umount("/flash")
