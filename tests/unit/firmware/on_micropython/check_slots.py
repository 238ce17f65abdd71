"""Which folder runs: counting crashes, going back, safe mode, what a trial is."""

from fake_machine import machine

# isort: split
import os
import sys

import slot_changes
import slots


def _lay(*folders):
    for folder in folders:
        os.mkdir(folder)
        with open(folder + "/manifest", "w") as file:
            file.write("version")


def _start():
    """(module, folder) of one more start."""
    program = slots.choose()
    return program, sys.path.pop(0) if slots.read()["run"] else None


def _on_trial():
    _lay("a", "b")
    slots.save(slots.read())
    slot_changes.switch({"id": "u1", "state": "trial"}, 30)


def without_folders_what_is_on_the_path_runs():
    assert slots.choose() == "app" and "slot.json" not in os.listdir()


def the_folder_that_is_whole_runs():
    _lay("b")
    os.mkdir("a")
    assert _start() == ("app", "b")


def a_trial_that_crashes_three_times_brings_the_old_one_back():
    _on_trial()
    assert [_start() for _ in range(4)] == [("app", "b")] * 3 + [("app", "a")]
    state = slots.read()
    assert state["update"] == {"id": "u1", "state": "rolled_back", "error": "3 crashes"}
    assert not state["trial"] and state["back"] is None


def a_confirmed_version_that_crashes_three_times_goes_back_too():
    _on_trial()
    slot_changes.confirm({"outbox": (2, 2), "settings": (1, 1)})
    assert [_start()[1] for _ in range(4)] == ["b", "b", "b", "a"]


def ten_healthy_minutes_clear_the_count():
    _on_trial()
    for _ in range(9):
        assert _start()[1] == "b"
        slot_changes.healthy()


def a_restart_that_was_asked_for_is_no_crash():
    _on_trial()
    for _ in range(9):
        assert _start() == ("app", "b")
        open("asked", "w").close()
    _start()
    assert "asked" not in os.listdir() and slots.read()["crashes"] == 1


def waking_from_sleep_is_no_crash():
    _on_trial()
    machine.cause = machine.DEEPSLEEP_RESET
    for _ in range(9):
        assert _start() == ("app", "b")
    assert slots.read()["crashes"] == 0


def power_that_comes_is_no_crash():
    """Who unplugs a node three times has not made it crash."""
    _on_trial()
    machine.cause = machine.PWRON_RESET
    for _ in range(9):
        assert _start() == ("app", "b")
    assert slots.read()["crashes"] == 0


def when_both_crash_safe_mode_runs_now_from_one_now_from_the_other():
    _on_trial()
    starts = [_start() for _ in range(9)]
    # b three times, then a; a's first start counts as its first, so two more, then safe mode.
    assert starts[:6] == [("app", "b")] * 3 + [("app", "a")] * 3, starts
    assert starts[6:] == [("safe", "a"), ("safe", "b"), ("safe", "a")], starts


def a_lone_firmware_that_crashes_ends_in_safe_mode():
    _lay("a")
    assert [_start()[0] for _ in range(5)] == ["app"] * 3 + ["safe"] * 2


def a_damaged_file_is_as_none():
    _lay("a", "b")
    for text in ("", "{", "[]", "7", '{"run": "/etc"}', '{"run": 3}', '{"crashes": "x"}', "\x00"):
        with open("slot.json", "w") as file:
            file.write(text)
        assert _start() == ("app", "a"), text


def a_way_back_that_is_not_whole_is_none():
    _on_trial()
    os.remove("a/manifest")
    assert [_start() for _ in range(4)] == [("app", "b")] * 3 + [("safe", "b")]


def a_version_that_writes_what_the_old_one_can_not_read_can_not_go_back():
    _on_trial()
    slot_changes.confirm({"outbox": (2, 3), "settings": (1, 1)})
    assert slots.read()["back"] is None
    assert slots.read()["run"] == "b"


def a_version_that_writes_what_the_old_one_reads_can_go_back():
    _on_trial()
    slot_changes.confirm({"outbox": (2, 2), "settings": (1, 1)})
    assert slots.read()["back"] == "a"
    assert slots.read()["update"]["state"] == "confirmed"


def a_trial_on_battery_adds_up_its_sessions_over_sleeps():
    _on_trial()
    assert not slot_changes.rest(0)
    assert not slot_changes.rest(20)
    assert slots.read()["run"] == "b"
    assert slot_changes.rest(15)
    assert slots.read()["run"] == "a"
    assert slots.read()["update"]["error"] == "no receipt"
