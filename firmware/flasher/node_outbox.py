"""Opens a node's outbox on the host with the node's own code, and so by its own rules.

Run as a program of its own, in a folder that holds a copy of the node's `packs`: the modules of
`firmware/node` are called as MicroPython has them, and must not get among ours. It reads from
standard input what has been receipted and writes packs to standard output, as JSON.
"""

import __future__

import importlib
import importlib.machinery
import json
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

_PACKS: Final = "packs"


class _NodeModules(importlib.machinery.SourceFileLoader):
    """Loads a module as MicroPython would: what its annotations name need not be there. Compiled
    anew, since what another run has cached may be compiled otherwise.
    """

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        flags = __future__.annotations.compiler_flag
        code: types.CodeType
        code = compile(self.get_data(path), path, "exec", flags=flags, dont_inherit=True)
        return code


def main() -> None:
    """`node_outbox.py SOURCES NODE OUTBOX_BYTES waiting|settle`."""
    _, sources, node, size, verb = sys.argv
    _be_micropython()
    finder: Any = importlib.machinery.FileFinder(sources, (_NodeModules, [".py"]))
    sys.path_importer_cache[sources] = finder
    sys.path.insert(0, sources)
    outbox = importlib.import_module("outbox").Outbox(_PACKS, int(size), _random_u32)
    if verb == "settle":
        _settle(outbox, {(log, seq) for log, seq in json.load(sys.stdin)})
        return
    for pack in _waiting(outbox, node):
        sys.stdout.write(json.dumps(pack) + "\n")


def _be_micropython() -> None:
    """What MicroPython has and Python has not, as far as these modules use it."""
    micropython: Any = types.ModuleType("micropython")
    micropython.const = lambda value: value
    sys.modules["micropython"] = micropython
    extended: Any = os
    extended.ilistdir = lambda folder: [(entry.name,) for entry in os.scandir(folder)]


def _random_u32() -> int:
    return int.from_bytes(os.urandom(4), "little")


def _waiting(outbox: Any, node: str) -> Iterator[dict[str, Any]]:
    """Every pack that waits for its receipt, as the node would send it."""
    anchors = importlib.import_module("clock").Anchors(f"{_PACKS}/anchors", outbox)
    encode = importlib.import_module("senml").encode
    first: dict[int, int] = {}
    for payload, log, seq in _fetched(outbox):
        # Before anything is settled, as it is for the first that is sent.
        oldest = first.setdefault(log, outbox.first(log))
        text = _encoded(encode, payload, node, log, seq, oldest, anchors.get)
        yield {"log": f"{log:08x}", "seq": seq, "pack": text}


def _fetched(outbox: Any) -> Iterator[tuple[bytes, int, int]]:
    positions = list(iter(outbox.fetch, None))
    for position in positions:
        record = outbox.read(position)
        if record is not None:
            yield record


def _encoded(encode: Callable[..., int], *pack: Any) -> str:
    size = encode(bytearray(), *pack)
    buffer = bytearray(size)
    encode(buffer, *pack)
    return buffer.decode("ascii")


def _settle(outbox: Any, receipted: set[tuple[str, int]]) -> None:
    for position in list(iter(outbox.fetch, None)):
        if (f"{outbox.log_of(position):08x}", outbox.open[position]) in receipted:
            outbox.settle(position)
    outbox.save()


if __name__ == "__main__":
    main()
