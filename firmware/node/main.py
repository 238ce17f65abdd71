"""Run by MicroPython after `boot.py`. Written with the firmware and never updated over the air:
whatever happens to what it starts ends in a restart, never in the prompt.
"""

import sys
import time

import machine

try:
    import slots

    program = slots.choose()
    # It has done its work; what needs it later loads it again.
    del slots, sys.modules["slots"]
    __import__(program).main()
except BaseException as error:  # An interrupt from the serial port, too.
    sys.print_exception(error)
    time.sleep(5)
finally:
    machine.reset()
