"""First file that MicroPython runs. Written with the firmware and never updated over the air: from
here on, whatever hangs is ended by the watchdog.
"""

import machine

try:
    machine.WDT(timeout=60_000)
except BaseException:
    # An error that leaves this file ends in the prompt, where a node would wait for ever.
    machine.reset()
