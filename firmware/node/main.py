"""Run by MicroPython after `boot.py`. Written with the firmware and never updated over the air:
whatever happens to what it starts ends in a restart, never in the prompt.
"""


def _program() -> str:
    import sys

    import slots

    # It has done its work; what needs it later loads it again.
    del sys.modules["slots"]
    return slots.choose()


try:
    __import__(_program()).main()
except BaseException as error:  # An interrupt from the serial port, too.
    import sys
    import time

    sys.print_exception(error)
    time.sleep(5)
finally:
    import machine

    machine.reset()
