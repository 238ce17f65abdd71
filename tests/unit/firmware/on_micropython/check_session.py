"""What arrives on the node's topics: anything. What is no receipt, settings or command changes
nothing, and says so in the diary.
"""

import asyncio
import json
import os
import sys

import commands
import seldom
from clock import Anchors, Clock
from diary import last_lines, note
from outbox import Outbox
from sender import Sender
from session import Session
from settings import Settings

BASE = "preau/v1/3c71bf4a2b10/"
UNIX = 1_763_800_000

HOSTILE = (
    b"",
    b"\xff\xfe\x00",
    b"null",
    b"true",
    b"17",
    b'"text"',
    b"[]",
    b"{}",
    b"[" * 900,
    b'{"a":' * 150,
    b'{"stored": 5}',
    b'{"stored": [[1]], "log": "00000001"}',
    b'{"stored": [["a", "b"]], "log": "00000001"}',
    b'{"stored": [[1, 2, 3]], "log": "00000001"}',
    b'{"stored": {"a": 1}, "log": "00000001"}',
    b'{"stored": [[1, 9]], "log": "no number"}',
    b'{"stored": [[1, 9]], "log": 7}',
    b'{"stored": [[1, 9]]}',
    b'{"stored": [[1, 9]], "log": "' + b"f" * 500 + b'"}',
    b'{"stored": [], "hello": {}, "now": []}',
    b'{"version": 1e99}',
    b'{"version": 2, "interval_s": ' + b"9" * 400 + b"}",
    b'{"version": [], "interval_s": {}}',
    b'{"id": 5, "do": "identify"}',
    b'{"id": "", "do": "identify"}',
    b'{"id": "' + b"x" * 200 + b'", "do": "identify"}',
    b'{"id": "c1", "do": ' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"do": "identify"}',
    b'{"id": "a\\tb\\n", "do": "identify"}',
)


class _Memory:
    data = b""

    def __call__(self, data=None):
        if data is None:
            return self.data
        self.data = bytes(data)


class _App:
    """As much of the node as commands look at."""

    led = None
    turns = 0
    bus_lock = asyncio.Lock()
    # Its one sensor, and the driver of that.
    started = True
    name = "scd4x@0x62"

    @staticmethod
    def now():
        return UNIX

    @staticmethod
    def changed():
        pass

    @staticmethod
    async def calibrate(target_ppm):
        _App.turns += 1
        return _App.turns


_App.settings = _App.clock = _App.sensors = _App.session = _App.driver = _App
_App.all = [_App]
_App.calibrated = {}


def _session():
    outbox = Outbox("packs", 65_536, lambda: 1)
    outbox.take(b"one")
    clock = Clock(_Memory(), Anchors("packs/anchors", outbox), lambda: 9)
    sender = Sender(outbox, lambda payload, log, seq: payload)
    settings = Settings()
    session = Session(settings, "3c71bf4a2b10", clock, outbox, sender, dict, None)
    session.begin()
    assert sender.next(0) == b"one"
    return session, outbox, clock, settings


def whatever_arrives_the_session_lives_and_nothing_changes():
    session, outbox, clock, settings = _session()
    for payload in HOSTILE:
        for topic in ("receipts", "settings", "commands", "", "no/such/topic"):
            session.on_message(BASE + topic, payload)
    assert outbox.held == 1 and not clock.known and not session.commanded
    assert settings.version == 0 and settings.interval_s == 60
    assert any("commands: refused" in line for line in last_lines())
    session.on_message(BASE + "receipts", b'{"stored": [[1, 1]], "log": "00000001"}')
    assert outbox.held == 0


def settings_that_are_refused_are_told_in_presence():
    session, _, _, _ = _session()
    session.on_message(BASE + "settings", b'{"version": 4, "interval_s": 0}')
    said = json.loads(session.presence())
    assert said["settings"] == 0
    assert said["settings_error"] == "interval_s 0 is not between 1 and 3600"
    session.on_message(BASE + "settings", b'{"version": 5, "interval_s": 90}')
    said = json.loads(session.presence())
    assert said["settings"] == 5 and "settings_error" not in said


# -- commands --------------------------------------------------------------------------------------


def _carried_out(command, app=_App):
    """Its reply, having arrived; None if it waits for another."""
    waiting = []
    seldom.run("command_log", "accept", command, waiting, "")
    if not waiting:
        return None
    reply, _ = asyncio.run(commands.carry_out(app, waiting.pop()))
    seldom.run("command_log", "remember", reply["id"], reply)
    return reply


def _command(identity, do="dance", until=UNIX + 60):
    return {"id": identity, "do": do, "until": until}


def the_last_16_ids_are_answered_again_and_not_done_again():
    def carried_out(number):
        command = _command(f"c{number}", "calibrate_co2")
        command["ppm"] = 420
        return _carried_out(command)

    _App.turns = 0
    first = [carried_out(number) for number in range(20)]
    assert first[19] == {"id": "c19", "ok": True, "sensor": "scd4x@0x62", "correction_ppm": 20}
    # As after a restart: all that is known lies on flash.
    assert [carried_out(number) for number in range(4, 20)] == first[4:]
    assert _App.turns == 20
    assert carried_out(3)["correction_ppm"] == 21, "it is the 17th and forgotten"


def in_safe_mode_without_sensors_a_calibration_is_refused():
    class Safe(_App):
        sensors = None

    command = _command("c1", "calibrate_co2")
    command["ppm"] = 420
    reply = _carried_out(command, Safe)
    assert reply == {"id": "c1", "ok": False, "error": "no sensors in safe mode"}, reply


def an_id_is_on_flash_before_anything_is_done():
    waiting = []
    seldom.run("command_log", "accept", _command("c1", "restart"), waiting, "")
    # The power fails here, or in what the command does.
    reply = _carried_out(_command("c1", "restart"))
    assert reply == {"id": "c1", "ok": False, "error": "interrupted, perhaps half done"}


def a_command_past_its_time_is_refused_also_when_it_comes_again():
    for _ in range(2):
        reply = _carried_out(_command("c1", "identify", UNIX - 1))
        assert reply["ok"] is False and "expired" in reply["error"], reply


def one_that_waits_or_runs_is_not_taken_twice_and_five_at_once_are_too_many():
    waiting = []
    for identity in ("c1", "c2", "c2", "c3", "c4"):
        seldom.run("command_log", "accept", _command(identity), waiting, "c1")
    assert [command["id"] for command in waiting] == ["c2", "c3", "c4"]
    seldom.run("command_log", "accept", _command("c5"), waiting, "")
    try:
        seldom.run("command_log", "accept", _command("c6"), waiting, "")
    except ValueError:
        pass
    else:
        raise AssertionError("accepted")
    waiting.clear()
    assert _carried_out(_command("c6"))["error"].startswith("unknown command")


def a_damaged_list_of_ids_forgets_them_and_stops_nothing():
    _carried_out(_command("c1"))
    for content in ("", "c1", "c1\t", "c1\t{", "c1\t5\n", "\t{}\n"):
        with open("commands.txt", "w") as file:
            file.write(content)
        assert _carried_out(_command("c1"))["ok"] is False
    assert "commands.txt.new" not in os.listdir()


def the_log_tells_after_a_restart_what_came_before():
    with open("diary.old", "wb") as file:
        file.write(b"\xff\xfe no text\nolder line\n")
    reply = _carried_out(_command("c1", "send_log"))
    assert reply["log"][-1:] == ["older line"], reply
    sys.modules.pop("diary")
    import diary

    for number in range(400):
        diary.note("line", number)
        diary.note("line", number)
    lines = diary.last_lines()
    assert lines[-2:] == ["line 398", "line 399"] and len(lines) == 16


def the_log_never_takes_more_than_two_files_of_2_kib_and_a_line():
    for number in range(1_000):
        note("line", number, "x" * 200)
        held = [name for name in os.listdir() if name.startswith("diary")]
        assert sum(os.stat(name)[6] for name in held) <= 2 * (2048 + 101), number
    assert last_lines()[-1].startswith("line 999 x")
