"""Run by MicroPython after `boot.py`. Written with the firmware and never updated over the air:
whatever happens to what it starts ends in a restart, never in the prompt.
"""

try:
    # Nothing is kept of what chooses: the heap is for what is chosen.
    __import__(__import__("slots").choose()).main()
except BaseException as error:  # An interrupt from the serial port, too.
    __import__("crash").tell(error)
finally:
    import machine

    machine.reset()
