"""Modules that are used once or seldom: what they take of the heap is free again afterwards.

It must not know which they are.
"""

import gc
import sys


def load(name: str):
    """The module, loaded anew and forgotten by MicroPython: it lives as long as it is held."""
    # Its pieces go where others were: the heap must show its gaps first.
    gc.collect()
    # With a list of names it is the module itself that comes, and not the package it is in.
    module = __import__(name, None, None, ("",))
    del sys.modules[name]
    package, _, leaf = name.rpartition(".")
    if package:
        delattr(sys.modules[package], leaf)
    return module
