"""Run by MicroPython after `boot.py`. Written with the firmware and never updated over the air:
whatever happens to what it starts ends in a restart, never in the prompt.
"""

try:
    import gc

    program = __import__("slots").choose()
    # What compiling this file and choosing has left behind would scatter over the whole heap
    # what is loaded now and stays.
    gc.collect()
    __import__(program).main()
except BaseException as error:  # An interrupt from the serial port, too.
    __import__("crash").tell(error)
finally:
    import machine

    machine.reset()
