"""`boot.py` and `main.py`, as MicroPython runs them: whatever happens ends in a restart, and never
in the prompt.
"""

from fake_machine import Reset, machine

# isort: split
import sys


class _Module:
    """In the place of a module of that name."""

    def __init__(self, name, **functions):
        for function, does in functions.items():
            setattr(self, function, does)
        sys.modules[name] = self


def _raise(error):
    raise error


def _raiser(error):
    return lambda: _raise(error)


def _run(name):
    """How the file ends."""
    sys.modules.pop(name, None)
    try:
        __import__(name)
    except Reset:
        return "restart"
    except BaseException as error:  # noqa: BLE001 - what would be the prompt
        return repr(error)
    return "end"


ENDS = (
    ValueError("a defect"),
    MemoryError("heap"),
    ImportError("no module"),
    SystemExit(),
    KeyboardInterrupt(),
    Exception("not even text \xff"),
)


def whatever_the_program_ends_with_is_a_restart():
    paused = []
    _Module("time", sleep=paused.append)
    for error in ENDS:
        _Module("slots", choose=lambda: "program")
        _Module("program", main=_raiser(error))
        assert _run("main") == "restart", error
    assert paused == [5] * len(ENDS)
    _Module("program", main=lambda: None)
    assert _run("main") == "restart", "it returned"


def a_start_that_can_not_choose_or_load_is_a_restart():
    _Module("time", sleep=lambda duration_s: None)
    for error in ENDS:
        _Module("slots", choose=_raiser(error))
        assert _run("main") == "restart", error
    _Module("slots", choose=lambda: "no_such_program")
    assert _run("main") == "restart"
    # Nor may what tells of it be there.
    _Module("crash", tell=_raise)
    assert _run("main") == "restart"


def the_watchdog_is_first_and_a_board_without_one_restarts():
    machine.WDT = lambda timeout: _raise(OSError(19))
    assert _run("boot") == "restart"
    set_up = []

    def watchdog(timeout):
        set_up.append(timeout)

    machine.WDT = watchdog
    assert _run("boot") == "end"
    assert set_up == [60_000]
