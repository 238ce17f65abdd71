"""Updates on LittleFS2 in RAM, the bundles served from RAM: run by `test_updates.py`, which lays
the bundles and keys into the folder.
"""

import asyncio
import gc
import hashlib
import json
import os
import sys

import vfs
from block_device import Flash
from fake_machine import Reset

import slots
import update
from outbox import Outbox

BLOCKS = 44
OUTBOX_BYTES = 4 * 4096
HOME = os.getcwd()


class _Reader:
    def __init__(self, data):
        self._data = data

    async def read(self, size):
        # Fewer than asked for, as a socket gives them.
        data, self._data = self._data[: min(size, 300)], self._data[min(size, 300) :]
        return data


class _Server:
    """Answers ranges of one file; `broken` answers fewer bytes than it says, at first."""

    def __init__(self, content, broken=0):
        self.content = content
        self.broken = broken
        self.requests = 0

    async def connect(self, host, port):
        assert (host, port) == ("gateway", 8080)
        self._answer = b""
        return _Reader(b""), self

    def write(self, request):
        self.requests += 1
        line = [x for x in request.decode().split("\r\n") if x.startswith("Range: bytes=")][0]
        start, end = (int(x) for x in line[13:].split("-"))
        head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{}\r\n\r\n"
        body = self.content[start : end + 1]
        if self.broken:
            self.broken -= 1
            body = body[: len(body) // 3]
        self.reader._data = head.format(start, end, len(self.content)).encode() + body

    async def drain(self):
        pass

    def close(self):
        pass

    async def wait_closed(self):
        pass


def _serve(server):
    async def connect(host, port):
        await server.connect(host, port)
        server.reader = _Reader(b"")
        return server.reader, server

    asyncio.open_connection = connect


class _Settings:
    outbox_bytes = OUTBOX_BYTES


class _App:
    """What an update looks at of the app: the outbox, and whom it reports to."""

    def __init__(self, outbox):
        self.outbox = outbox
        self.settings = _Settings()
        self.session = self
        self.reports = []
        self.update = self.updating = None

    def changed(self):
        pass

    def report(self, reply):
        self.reports.append(reply)


async def _at_once(duration_ms):
    """Pauses are not what is looked at here."""


asyncio.sleep_ms = _at_once


def _read(name):
    with open(name, "rb") as file:
        return file.read()


def _write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def _manifest(bundle):
    return bundle[8 : 8 + int.from_bytes(bundle[4:8], "little")]


def _lay_out(folder, bundle):
    """A firmware as the flasher lays it out."""
    manifest = _manifest(bundle)
    os.mkdir(folder)
    at = 8 + len(manifest) + 64
    for line in manifest.decode().split("\n"):
        if line.startswith("file "):
            _, name, size, _ = line.split()
            if "/" in name:
                try:
                    os.mkdir(folder + "/" + name.split("/")[0])
                except OSError:
                    pass
            _write(folder + "/" + name, bundle[at : at + int(size)])
            at += int(size)
    _write(folder + "/manifest", manifest)


def _is_whole(folder, bundle):
    """Whether exactly this version lies in a folder."""
    manifest = _manifest(bundle)
    if not slots.is_complete(folder) or _read(folder + "/manifest") != manifest:
        return False
    for line in manifest.decode().split("\n"):
        if line.startswith("file "):
            _, name, _, sha256 = line.split()
            if hashlib.sha256(_read(folder + "/" + name)).digest().hex() != sha256:
                return False
    return True


def _command(bundle, **more):
    command = {
        "id": "u1",
        "url": "http://gateway:8080/firmware/x.bundle",
        "version": "1.0.1",
        "size": len(bundle),
        "sha256": hashlib.sha256(bundle).digest().hex(),
    }
    command.update(more)
    return command


def _mounted(flash):
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    os.chdir("/flash")


def _unmounted():
    os.chdir("/")
    vfs.umount("/flash")
    os.chdir(HOME)


def _started():
    program = slots.choose()
    return program, sys.path.pop(0)


def _carried_on(app):
    """Whether the update ended with a restart."""
    try:
        asyncio.run(update.run(app))
    except Reset:
        return True
    return False


def _offered(app, command):
    """The update, from its command on."""

    async def offer():
        answer = update.offer(app, command)
        await app.updating
        return answer

    try:
        asyncio.run(offer())
    except Reset:
        return True
    return False


def _world(first, second, full=True):
    """An image of a flash with version A, with B's predecessor in the other folder, and a few
    packs taken.
    """
    flash = Flash(BLOCKS)
    vfs.VfsLfs2.mkfs(flash)
    keys = _read("keys")
    _mounted(flash)
    _write("firmware.keys", keys)
    _lay_out("a", first)
    box = Outbox("packs", OUTBOX_BYTES, lambda: 7)
    for number in range(20):
        box.take(b"%06d" % number * 20)
    if full:
        _lay_out("b", first)
        state = slots.read()
        state.update({"run": "a", "back": "b"})
        slots.save(state)
    image = bytes(flash.data)
    _unmounted()
    return image


def _packs():
    box = Outbox("packs", OUTBOX_BYTES, lambda: 8)
    found = []
    while True:
        position = box.fetch()
        if position is None:
            return found
        found.append(box.read(position)[0])


def _life(flash, bundle, command):
    """One life, which ends with a reset, in peace, or when power fails; whether power lasted."""
    try:
        _mounted(flash)
    except OSError:
        assert flash.off
        return False
    try:
        _started()
        app = _App(Outbox("packs", OUTBOX_BYTES, lambda: 9))
        if command:
            _offered(app, command)
        else:
            _carried_on(app)
        return not flash.off
    except OSError:
        assert flash.off, "failed with the power on"
        return False
    finally:
        _unmounted()


def power_is_cut_at_every_write_and_erase():
    """From the command to the end of the tidying up in the new version: what runs is A or B whole,
    nothing taken is lost, and an update that was accepted is carried on.
    """
    first, second = _read("A"), _read("B")
    image = _world(first, second)
    _serve(_Server(second))
    flash = Flash(BLOCKS, image)
    assert _life(flash, second, _command(second)) and _life(flash, second, None)
    changes = flash.changes
    assert changes > 60, changes
    installed = 0
    for cut_after in range(changes):
        flash = Flash(BLOCKS, image)
        flash.cut_after = cut_after
        if _life(flash, second, _command(second)):
            _life(flash, second, None)
        flash.cut_after = None
        _mounted(flash)
        program, folder = _started()
        assert program == "app"
        version = second if _is_whole(folder, second) else first
        assert _is_whole(folder, version), (cut_after, folder)
        assert _packs() == [b"%06d" % number * 20 for number in range(20)], cut_after
        accepted = update.read_job() is not None
        _unmounted()
        if accepted or version is second:
            _life(flash, second, None)
            _mounted(flash)
            program, folder = _started()
            assert _is_whole(folder, second), cut_after
            assert slots.read()["trial"] and slots.read()["update"]["state"] == "trial"
            installed += 1
            _unmounted()
        gc.collect()
    print("cut at each of", changes, "writes and erases;", installed, "ended with the new version")
    assert installed > changes * 3 // 4


def a_cut_link_goes_on_where_it_was():
    first, second = _read("A"), _read("B")
    flash = Flash(BLOCKS, _world(first, second))
    server = _Server(second, broken=4)
    _serve(server)

    assert _life(flash, second, _command(second))
    _mounted(flash)
    assert _started() == ("app", "b") and _is_whole("b", second)
    assert server.requests == 4 + (len(second) + 8191) // 8192, server.requests
    _unmounted()


def what_is_wrong_with_a_bundle_is_told_before_a_byte_of_it_is_used():
    """`cases.json` says for each what is expected: the words of the refusal, or null."""
    first = _read("A")
    image = _world(first, first)
    with open("cases.json") as file:
        cases = json.loads(file.read())
    for case in cases:
        bundle = _read(case["file"])
        flash = Flash(BLOCKS, image)
        _serve(_Server(bundle))
        _mounted(flash)
        _started()
        app = _App(Outbox("packs", case.get("outbox_bytes", OUTBOX_BYTES), lambda: 9))
        app.settings.outbox_bytes = case.get("outbox_bytes", OUTBOX_BYTES)
        told = None
        try:
            restarted = _offered(app, _command(bundle, **case["command"]))
        except ValueError as error:
            restarted, told = False, str(error)
        if app.reports and not app.reports[-1]["ok"]:
            told = app.reports[-1]["error"]
            assert app.update["state"] == "refused" and app.update["error"] == told
        print(case["name"], restarted, told)
        assert restarted == (told is None)
        if case["refused"] is None:
            assert restarted and slots.read()["run"] == "b", case
        else:
            assert told and case["refused"] in told, case
            assert _started() == ("app", "a")
            # The way back is as it was, and nothing is left over.
            assert _is_whole("a", first) and _is_whole("b", first), case
            assert "update.part" not in os.listdir() and "update.json" not in os.listdir()
        _unmounted()
        gc.collect()
    print(len(cases), "cases")


def a_rolled_back_version_is_not_installed_again_by_itself():
    first, second = _read("A"), _read("B")
    flash = Flash(BLOCKS, _world(first, second))
    _serve(_Server(second))
    assert _life(flash, second, _command(second))
    _mounted(flash)
    # As if power had been cut before the job was forgotten.
    _write("update.json", json.dumps(_command(second, trial_s=600)).encode())
    assert [_started()[1] for _ in range(4)] == ["b", "b", "b", "a"]
    assert not _carried_on(_App(None))
    assert "update.json" not in os.listdir()
    assert slots.read()["update"]["state"] == "rolled_back"
    _unmounted()
