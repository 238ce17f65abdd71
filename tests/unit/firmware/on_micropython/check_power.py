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


def _live(box, story, packs, settle_every, splits):
    """Takes packs and settles some, as sending does; ends early when power does."""
    for number in range(packs):
        if splits and number % 4 == 3:
            box.split()
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


def _powered(flash, max_bytes, story, packs, settle_every, splits=False):  # noqa: PLR0917
    """One life; returns whether the power lasted."""
    try:
        vfs.mount(vfs.VfsLfs2(flash), "/flash")
    except OSError:
        assert flash.off
        return False
    try:
        box = Outbox("/flash/outbox", max_bytes, _draw)
        _live(box, story, packs, settle_every, splits)
        return True
    except (OSError, OutboxError):
        assert flash.off, "failed with the power on"
        return False
    finally:
        vfs.umount("/flash")


def _found_after(flash, max_bytes, story):
    """What the outbox of a flash that has power again holds, none of it changed."""
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
    for key, data in found.items():
        assert story.taken.get(key, data) == data, ("changed", key)
    seq = box.take(b"after")
    assert (box.log, seq) not in story.taken, "number given twice"
    vfs.umount("/flash")
    return found


def _check(flash, max_bytes, story):
    """Nothing taken is lost."""
    found = _found_after(flash, max_bytes, story)
    for key in story.taken:
        assert key in story.settled or key in found, ("lost", key)


def _at_every_cut(settle_every, lives, splits=False):
    max_bytes = 8 * SEGMENT_SIZE
    image = _formatted()
    flash = Flash(BLOCKS, image)
    for packs in lives:
        assert _powered(flash, max_bytes, Story(), packs, settle_every, splits)
    changes = flash.changes
    assert changes > 50
    for cut_after in range(changes):
        flash = Flash(BLOCKS, image)
        flash.cut_after = cut_after
        story = Story()
        for packs in lives:
            if not _powered(flash, max_bytes, story, packs, settle_every, splits):
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


def a_cut_while_a_backlog_and_fresh_packs_go_in_turn_loses_nothing_taken():
    _at_every_cut(3, (9, 9), splits=True)


def a_cut_while_a_full_outbox_gives_up_its_oldest_loses_no_other():
    image = _formatted()
    flash = Flash(BLOCKS, image)
    max_bytes = 3 * SEGMENT_SIZE
    assert _powered(flash, max_bytes, Story(), 44, 0)
    changes = flash.changes
    for cut_after in range(changes):
        flash = Flash(BLOCKS, image)
        flash.cut_after = cut_after
        story = Story()
        _powered(flash, max_bytes, story, 44, 0)
        found = _found_after(flash, max_bytes, story)
        # Of each log the newest, without a gap: nine packs a segment, two segments at least.
        order = sorted(story.taken)
        kept = [key for key in order if key in found]
        assert kept == order[len(order) - len(kept) :], (cut_after, len(order), len(kept))
        assert len(kept) >= min(len(order), 18), (cut_after, len(order), len(kept))
        flash = found = None
        gc.collect()
    print("cut at each of", changes, "writes and erases")


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
