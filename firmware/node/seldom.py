"""Modules that are used once or seldom: what they take of the heap is free again afterwards.

It must not know which they are.
"""

import gc
import sys


def load(name: str):
    """The module, loaded anew and forgotten by MicroPython: it lives as long as it is held."""
    # Its pieces go where others were: the heap must show its gaps first.
    gc.collect()
    module = __import__(name)
    del sys.modules[name]
    return module
