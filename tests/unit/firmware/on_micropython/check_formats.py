"""In which format a version writes before and after it is confirmed, and which it refuses."""

from fake_machine import machine  # noqa: F401 - `slots` wants one

# isort: split
import binascii
import os
import struct

import release
import seldom
import slot_changes
import slots
from outbox import Outbox, OutboxError
from settings import Settings


def _ask(function, *arguments):
    return seldom.run("formats", function, *arguments)


def _is_version(outbox, settings=(1, 1)):
    """Makes what runs a version that knows these formats."""
    release.OUTBOX = outbox
    release.SETTINGS = settings


def _after(outbox, settings=(1, 1)):
    """A version on trial, the one before it knowing these formats."""
    _is_version(outbox, settings)
    for folder in ("a", "b"):
        os.mkdir(folder)
        with open(folder + "/manifest", "w") as file:
            file.write("version")
    slots.save(slots.read())
    slot_changes.switch({"id": "u1", "state": "trial"}, 30)


class _App:
    """What `verdict` tells that a version is confirmed."""

    update = None

    def __init__(self, box):
        self.outbox = box
        self.session = self

    def changed(self):
        pass


def _opened():
    return Outbox("packs", 65_536, lambda: 7)


def _refusal():
    """Why the outbox is not opened, or None."""
    try:
        _opened()
    except OutboxError as error:
        return str(error)
    return None


def _formats_of_segments():
    found = []
    for name in sorted(name for name in os.listdir("packs") if name.isdigit()):
        with open("packs/" + name, "rb") as file:
            found.append(file.read(4))
    return found


def _numbers(box):
    found = []
    while True:
        position = box.fetch()
        if position is None:
            return found
        found.append(box.read(position)[2])


def on_trial_the_format_of_the_version_before_is_written():
    _after((2, 2), (1, 1))
    _is_version((2, 3), (1, 2))
    assert (_ask("written", "outbox"), _ask("written", "settings")) == (2, 1)
    slot_changes.confirm(_ask("known"))
    assert (_ask("written", "outbox"), _ask("written", "settings")) == (3, 2)
    assert slots.read()["back"] is None


def without_folders_or_a_word_of_the_version_before_its_own_is_written():
    _is_version((2, 3))
    assert _ask("written", "outbox") == 3
    for text in ("", "{", "[]", "{}", '{"trial": true}', '{"trial": true, "formats": {}}'):
        with open("slot.json", "w") as file:
            file.write(text)
        assert _ask("written", "outbox") == 3, text


def a_version_changes_over_when_it_is_confirmed_and_reads_both():
    _after((2, 2))
    old = _opened()
    for number in range(3):
        old.take(b"%05d" % number)
    _is_version((2, 3))
    box = _opened()
    box.take(b"on trial")
    box.save()
    assert _formats_of_segments() == [b"PRO2"]
    seldom.run("verdict", "confirm", _App(box))
    # What was begun stays as it is: a segment has one format.
    box.take(b"confirmed")
    box.save()
    assert _formats_of_segments() == [b"PRO2", b"PRO3"]
    with open("packs/done", "rb") as file:
        assert file.read(4) == b"PRD3"
    again = _opened()
    again.take(b"after a restart")
    assert _formats_of_segments() == [b"PRO2", b"PRO3"]
    assert (_numbers(again), again.dropped) == ([1, 2, 3, 4, 5, 6], 0)


def a_version_that_was_confirmed_before_power_failed_changes_over_at_its_start():
    _is_version((2, 2))
    _opened().take(b"before")
    _is_version((2, 3))
    box = _opened()
    assert box.take(b"after") == 2
    assert _formats_of_segments() == [b"PRO2", b"PRO3"]
    assert _numbers(_opened()) == [1, 2]


def an_outbox_of_a_format_that_is_not_read_is_left_as_it_is():
    """As when safe mode starts the version before a confirmed one."""
    _is_version((2, 3))
    box = _opened()
    for number in range(400):
        box.take(b"%05d" % number * 20)
    box.save()
    before = {name: os.stat("packs/" + name)[6] for name in os.listdir("packs")}
    _is_version((2, 2))
    assert _refusal() == "packs/00000001 is of format 3"
    assert {name: os.stat("packs/" + name)[6] for name in os.listdir("packs")} == before
    _is_version((2, 3))
    assert len(_numbers(_opened())) == 400


def what_lies_on_flash_is_every_format_not_yet_sent():
    assert _ask("on_flash") == {"outbox": {2}, "settings": {1}}
    _is_version((2, 2))
    _opened().take(b"before")
    Settings().update({"version": 1})
    _is_version((2, 3), (1, 2))
    _opened().take(b"after")
    Settings().update({"version": 2})
    assert _ask("on_flash") == {"outbox": {2, 3}, "settings": {1, 2}}


def damage_has_no_format_and_keeps_no_update_away():
    _opened().take(b"one")
    with open("packs/00000001", "rb") as file:
        head = file.read(16)
    for number, data in enumerate(
        (b"", b"x", b"PRO9", b"PRO9" + bytes(28), b"PRO9" + bytes(12) + head)
    ):
        with open(f"packs/{number + 2:08d}", "wb") as file:
            file.write(data)
    for text in ("", "{}", "{}\n0\n", "{}\n0\n9\n", "\n\n\n"):
        with open("settings.json", "w") as file:
            file.write(text)
        assert _ask("on_flash") == {"outbox": {2}, "settings": {1}}, text


def settings_of_a_format_that_is_not_read_give_way_to_those_before_and_it_is_told():
    _is_version((2, 2), (1, 2))
    settings = Settings()
    release.SETTINGS = (1, 1)
    settings.update({"version": 1, "interval_s": 300})
    release.SETTINGS = (1, 2)
    settings.update({"version": 2, "interval_s": 600})
    assert Settings().interval_s == 600
    release.SETTINGS = (1, 1)
    again = Settings()
    assert (again.version, again.interval_s) == (1, 300)
    assert again.error == "settings.json: is of format 2", again.error


def the_format_is_part_of_the_checksum():
    _is_version((2, 2), (1, 3))
    Settings().update({"version": 1, "interval_s": 300})
    with open("settings.json") as file:
        text = file.read()
    with open("settings.json", "w") as file:
        file.write(text[:-2] + "1\n")
    assert Settings().interval_s == 60
    # And of an outbox's headers, both of which lie here as if a bit had changed: damage, no format.
    _opened().take(b"one")
    with open("packs/00000001", "r+b") as file:
        for at in (3, 19):
            file.seek(at)
            file.write(b"9")
    box = _opened()
    assert (box.next, box.held) == (1, 0)
    head = struct.pack("<3sBII", b"PRO", 57, 7, 1)
    with open("packs/00000001", "r+b") as file:
        file.write(head + struct.pack("<I", binascii.crc32(head)))
    assert _refusal() == "packs/00000001 is of format 9"
