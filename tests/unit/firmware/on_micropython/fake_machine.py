"""Puts a `machine` into the interpreter whose resets end the life of a check, not the process."""

import sys


class Reset(BaseException):
    """The chip was reset; a new life begins."""


class _Machine:
    PWRON_RESET = 1
    HARD_RESET = 2
    DEEPSLEEP_RESET = 4
    cause = HARD_RESET

    def reset_cause(self):
        return self.cause

    def reset(self):
        raise Reset


machine = sys.modules["machine"] = _Machine()
