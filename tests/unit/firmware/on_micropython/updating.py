"""Updates on LittleFS2 in RAM, the bundles served from RAM: run by `test_updates.py`, which lays
the bundles and keys into the folder.
"""

from fake_machine import Reset

# isort: split
import asyncio
import gc
import hashlib
import json
import os
import sys

import release
import slots
import update
import update_apply
import update_fetch
import vfs
from block_device import Flash
from outbox import Outbox

BLOCKS = 44
OUTBOX_BYTES = 4 * 4096
HOME = os.getcwd()
# Relative to this folder, which the checks leave.
sys.path[:] = [HOME + "/" + p if (p and p[0] not in "/.") or p[:2] == ".." else p for p in sys.path]


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
        self.answer = b""
        self.broken = broken
        self.requests = self.sent = 0

    async def connect(self, host, port):
        assert (host, port) == ("gateway", 8080)
        self._answer = b""
        return _Reader(b""), self

    def write(self, request):
        self.requests += 1
        line = next(x for x in request.decode().split("\r\n") if x.startswith("Range: bytes="))
        start, end = (int(x) for x in line[13:].split("-"))
        head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{}\r\n\r\n"
        body = self.content[start : end + 1]
        if self.broken:
            self.broken -= 1
            body = body[: len(body) // 3]
        self.sent += len(body)
        head = head.format(start, end, len(self.content)).encode()
        self.reader._data = self.answer or head + body

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
        self.session = self.link = self.client = self
        self.node = "3c71bf4a2b10"
        self.reports = []
        self.update = self.updating = None

    def changed(self):
        pass

    async def publish(self, topic, payload):
        assert topic == "preau/v1/3c71bf4a2b10/replies"
        self.reports.append(json.loads(payload))


async def _at_once(duration_ms):
    """Pauses are not what is looked at here."""


asyncio.sleep_ms = _at_once


def _read(name):
    with open(name, "rb") as file:
        return file.read()


def _write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def _sha256(data):
    return hashlib.sha256(data).digest().hex()  # noqa: FURB181 - MicroPython has no hexdigest


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
            inner = name.split("/")[0]
            if inner != name and inner not in os.listdir(folder):
                os.mkdir(folder + "/" + inner)
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
            if _sha256(_read(folder + "/" + name)) != sha256:
                return False
    return True


def _command(bundle, **more):
    command = {
        "id": "u1",
        "url": "http://gateway:8080/firmware/x.bundle",
        "version": "1.0.1",
        "size": len(bundle),
        "sha256": _sha256(bundle),
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
    paths = len(sys.path)
    program = slots.choose()
    return program, sys.path.pop(0) if len(sys.path) > paths else None


def _carried_on(app):
    """Restarts until the update has nothing more to do; the names of what was started."""
    programs = []
    for _ in range(12):
        program, folder = _started()
        programs.append(program)
        try:
            if program == "update_apply":
                update_apply.main()
            if update.JOB not in os.listdir():
                return programs, folder
            asyncio.run(update_fetch.run(app))
        except Reset:
            pass
    raise AssertionError(programs)


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


def _life(flash, command):
    """From power-on to the end of the update, or until power fails; whether it lasted."""
    try:
        _mounted(flash)
    except OSError:
        assert flash.off
        return False
    try:
        app = _App(Outbox("packs", OUTBOX_BYTES, lambda: 9))
        if command:
            _started()
            update.offer(app, command)
        _carried_on(app)
        return not flash.off
    except (OSError, ValueError):
        # A flash without power may also look empty.
        assert flash.off, "failed with the power on"
        return False
    finally:
        _unmounted()


def power_is_cut_at_every_write_and_erase():
    """From the command to the first start of the new version: what runs is A or B whole, nothing
    taken is lost, and an update that was accepted is carried on.
    """
    first, second = _read("A"), _read("B")
    image = _world(first, second)
    _serve(_Server(second))
    flash = Flash(BLOCKS, image)
    assert _life(flash, _command(second))
    changes = flash.changes
    assert changes > 60, changes
    installed = 0
    for cut_after in range(changes):
        flash = Flash(BLOCKS, image)
        flash.cut_after = cut_after
        _life(flash, _command(second))
        flash.cut_after = None
        _mounted(flash)
        program, folder = _started()
        assert program in ("app", "update_apply"), program
        assert _is_whole(folder, first) or _is_whole(folder, second), (cut_after, folder)
        assert _packs() == [b"%06d" % number * 20 for number in range(20)], cut_after
        if update.JOB in os.listdir() or _is_whole(folder, second):
            _, folder = _carried_on(_App(None))
            assert _is_whole(folder, second), cut_after
            state = slots.read()
            assert state["trial"] and state["update"]["state"] == "trial"
            installed += 1
        _unmounted()
        flash = None
        gc.collect()
    print("cut at each of", changes, "writes and erases;", installed, "ended with the new version")
    assert installed > changes * 3 // 4


def a_cut_link_goes_on_where_it_was():
    first, second = _read("A"), _read("B")
    flash = Flash(BLOCKS, _world(first, second))
    server = _Server(second, broken=4)
    _serve(server)
    assert _life(flash, _command(second))
    _mounted(flash)
    assert _started() == ("app", "b") and _is_whole("b", second)
    # No byte was asked for twice.
    assert server.requests > 4 and server.sent == len(second), (server.requests, server.sent)
    _unmounted()


def what_is_no_http_is_refused_and_told():
    first, second = _read("A"), _read("B")
    for answer in (
        b"\x00\xff\x00\xff\r\n\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 \xff\xff\xff no\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n<html>a portal's page</html>",
        b"x" * 5000,
        b"HTTP/1.1 206 x\r\n" + b"a: b\r\n" * 1000,
    ):
        flash = Flash(BLOCKS, _world(first, first))
        server = _Server(second)
        server.answer = answer
        _serve(server)
        _mounted(flash)
        _started()
        app = _App(Outbox("packs", OUTBOX_BYTES, lambda: 9))
        update.offer(app, _command(second))
        assert _carried_on(app) == (["app", "app"], "a"), answer
        told = slots.read()["update"]
        assert told["state"] == "refused" and told["error"], (answer, told)
        assert not [name for name in os.listdir() if name.startswith("update")], os.listdir()
        _unmounted()
        flash = None
        gc.collect()


def a_job_that_is_damaged_is_given_up():
    first = _read("A")
    for content in (b"", b"{", b"\xff\x00", b'{"id": "c1"'):
        flash = Flash(BLOCKS, _world(first, first))
        _mounted(flash)
        _write("update.json", content)
        _write("update.part", b"of it")
        _started()
        asyncio.run(update_fetch.run(_App(None)))
        assert not [name for name in os.listdir() if name.startswith("update")], content
        _unmounted()
        flash = None
        gc.collect()


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
        app = _App(Outbox("packs", OUTBOX_BYTES, lambda: 9))
        # As if it had been confirmed just now: what lies there is its predecessor's.
        release.OUTBOX = (2, 3) if case["name"] == "waiting" else (2, 2)
        try:
            update.offer(app, _command(bundle, **case["command"]))
            _, folder = _carried_on(app)
            told = slots.read()["update"].get("error")
        except ValueError as error:
            _, folder = _started()
            told = str(error)
        print(case["name"], folder, told)
        if case["refused"] is None:
            assert told is None and folder == "b", case
        else:
            assert told and case["refused"] in told, case
            # The way back is as it was, and nothing is left over.
            assert folder == "a" and _is_whole("a", first) and _is_whole("b", first), case
            assert not [name for name in os.listdir() if name.startswith("update")]
        _unmounted()
        flash = None
        gc.collect()
    print(len(cases), "cases")


def a_rolled_back_version_is_not_installed_again_by_itself():
    first, second = _read("A"), _read("B")
    flash = Flash(BLOCKS, _world(first, second))
    _serve(_Server(second))
    assert _life(flash, _command(second))
    _mounted(flash)
    # As if power had been cut before the job was forgotten.
    _write("update.json", json.dumps(_command(second, trial_s=600, tries=1)).encode())
    assert [_started()[1] for _ in range(3)] == ["b", "b", "a"]
    assert _carried_on(_App(None)) == (["app", "app"], "a")
    assert slots.read()["update"]["state"] == "rolled_back"
    _unmounted()


def what_is_cut_off_again_and_again_is_given_up():
    first, second = _read("A"), _read("B")
    flash = Flash(BLOCKS, _world(first, second))
    _serve(_Server(second))
    _mounted(flash)
    _started()
    app = _App(Outbox("packs", OUTBOX_BYTES, lambda: 9))
    update.offer(app, _command(second))
    programs = []
    while update.JOB in os.listdir():
        programs.append(_started()[0])
        if programs[-1] == "update_apply":
            # As a chip that loses power whenever it checks a signature.
            os.remove("update.ready")
            continue
        try:
            asyncio.run(update_fetch.run(app))
        except Reset:
            continue
    assert programs.count("update_apply") == 20, programs
    assert "given up after 20 starts" in slots.read()["update"]["error"]
    assert slots.read()["run"] == "a"
    _unmounted()
