"""The sensors of one node in MicroPython, asked one thing at a time while a test changes what is
around it.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from simulators.board.program import Program
from tests.servers import require_micropython
from tests.unit.firmware.micropython import CHECKS, HEAP


class SensingNode:
    """`await node.ask("measure")`; `notes` are the lines of the node's diary."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.notes: list[str] = []

    async def ask(self, name: str, *arguments: Any) -> Any:
        """The answer; fails where the program ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, *arguments]).encode() + b"\n")
        async with asyncio.timeout(30):
            while True:
                line = (await self._process.stdout.readline()).decode()
                assert line, "\n".join(self.notes)
                if line.startswith("="):
                    return json.loads(line[1:])
                self.notes.append(line.rstrip())


@asynccontextmanager
async def sensing_node(
    program: Program, folder: Path, wire_port: int, config: Mapping[str, Any]
) -> AsyncIterator[SensingNode]:
    """Powered with `config` as its `config.json`."""
    (folder / "config.json").write_text(json.dumps(config))
    environment = {
        "MICROPYPATH": program.search_path(folder, bare=True),
        "BOARD_WIRE": str(wire_port),
        "BOARD_NODE": "3c71bf4a2b10",
        "PORT": str(program.stand_ins),
    }
    process = await asyncio.create_subprocess_exec(
        *(require_micropython(), "-X", f"heapsize={HEAP}", CHECKS / "sense.py"),
        cwd=folder,
        env=os.environ | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield SensingNode(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
