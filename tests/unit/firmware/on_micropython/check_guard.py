"""The watch over a start, with seconds that pass at once."""

from fake_machine import Reset

# isort: split
import asyncio
import json
import os
import sys

import guard
import seldom
import slot_changes
import slots


class _App:
    """Session, link and outbox at once; `script(second)` may change them as time goes on."""

    def __init__(self, script):
        self.session = self.link = self.outbox = self
        self.receipted = False
        self.client = None
        self.update = None
        self.node = "3c71bf4a2b10"
        self.replies = []
        self.seconds = 0
        self._script = script

    def changed(self):
        pass

    async def publish(self, topic, payload):
        assert topic == "preau/v1/3c71bf4a2b10/replies"
        self.replies.append(json.loads(payload))

    async def pass_a_second(self, duration_ms):
        assert duration_ms == 1000
        self.seconds += 1
        assert self.seconds < 10_000
        self._script(self, self.seconds)


def _trial(limit_s):
    for folder in ("a", "b"):
        os.mkdir(folder)
        with open(folder + "/manifest", "w") as file:
            file.write("version")
    update = {"id": "u1", "version": "1.0.1", "state": "trial"}
    slot_changes.switch(update, limit_s)
    slots.choose()
    sys.path.pop(0)


def _watched(script):
    app = _App(script)
    real, asyncio.sleep_ms = asyncio.sleep_ms, app.pass_a_second
    try:
        asyncio.run(guard.watch(app))
    except Reset:
        return app, "reset"
    finally:
        asyncio.sleep_ms = real
    return app, "ended"


def the_first_receipt_confirms():
    _trial(60)

    def script(app, second):
        app.client = app if second > 10 else None
        app.receipted = second > 30

    app, end = _watched(script)
    assert (end, app.seconds) == ("ended", 600)
    state = slots.read()
    assert (state["run"], state["back"], state["trial"]) == ("b", "a", False)
    assert app.update["state"] == "confirmed"
    assert [reply["state"] for reply in app.replies] == ["trial", "confirmed"]
    assert all(reply["ok"] and reply["id"] == "u1" for reply in app.replies)


def without_a_session_the_trial_does_not_run_out():
    _trial(60)

    def script(app, second):
        app.receipted = second > 5000

    app, end = _watched(script)
    assert end == "ended" and slots.read()["run"] == "b" and app.seconds > 5000


def a_session_without_receipt_brings_the_old_one_back():
    _trial(60)

    def script(app, second):
        app.client = app if second % 2 == 0 else None

    app, end = _watched(script)
    assert (end, app.seconds) == ("reset", 120)
    state = slots.read()
    assert (state["run"], state["back"]) == ("a", None)
    assert state["update"]["state"] == "rolled_back" and "60 s" in state["update"]["error"]


def a_trial_without_a_way_back_goes_on_with_what_there_is():
    _trial(60)
    os.remove("a/manifest")

    def script(app, second):
        app.client = app

    _, end = _watched(script)
    state = slots.read()
    assert (end, state["run"], state["trial"]) == ("ended", "b", False)


def ten_minutes_clear_the_crashes_and_end_the_watch():
    _trial(60)
    slot_changes.confirm(seldom.run("formats", "known"))
    assert slots.read()["crashes"] == 1
    app, end = _watched(lambda app, second: None)
    assert (end, app.seconds, slots.read()["crashes"]) == ("ended", 600, 0)


def a_refusal_is_told_once():
    _trial(60)
    slot_changes.confirm(seldom.run("formats", "known"))
    slot_changes.report({"id": "u2", "version": "1.0.2", "state": "refused", "error": "too big"})

    def script(app, second):
        app.client = app if second > 10 else None

    app, _ = _watched(script)
    expected = {"id": "u2", "ok": False, "state": "refused", "error": "too big"}
    assert app.replies == [expected], app.replies
    assert _watched(script)[0].replies == []
