"""Modules that are used once or seldom: what they take of the heap is free again afterwards.

It must not know which they are.
"""

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def load(name: str) -> Any:
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


def run(name: str, function: str, *arguments: object) -> Any:
    """What a function of that module gives, the module being gone afterwards."""
    module = load(name)
    try:
        return getattr(module, function)(*arguments)
    finally:
        # The collector takes any word on a stack for a pointer. An old one that is left there
        # must not keep the whole module, as it did.
        module.__dict__.clear()


async def wait(name: str, function: str, *arguments: object) -> Any:
    """As `run`, for a coroutine."""
    module = load(name)
    try:
        return await getattr(module, function)(*arguments)
    finally:
        module.__dict__.clear()
