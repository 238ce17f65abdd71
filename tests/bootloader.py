"""A chip's bootloader on a TCP port, with a flash that outlives connections.

Run as a program it is `esp32-mock-bootloader`, with fuses and a flash chip of our choice.
"""

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from esp32_mock_bootloader import cli, protocol, registers, server

from tests.servers import Server, free_port

_FLASH_ID_4_MIB = 0x0016_4020


class Bootloader(Server):
    """`registers` are fuses: value by address. `flash_id` has the size in its bits 16 to 23."""

    def __init__(
        self,
        folder: Path,
        chip: str = "esp32",
        *,
        registers: Mapping[int, int] | None = None,
        flash_id: int = _FLASH_ID_4_MIB,
    ) -> None:
        port = free_port()
        super().__init__(
            [sys.executable, "-m", "tests.bootloader", "run", "--chip", chip, "--port", str(port)],
            port,
            folder / f"bootloader-{port}.log",
            BOOTLOADER_REGISTERS=json.dumps(registers or {}),
            BOOTLOADER_FLASH_ID=str(flash_id),
            # Its list of what runs, which lies in the folder for temporary files.
            TMPDIR=str(folder),
        )

    @property
    def url(self) -> str:
        return f"socket://127.0.0.1:{self.port}"


class Cable:
    """A way to `port` that breaks once `size` bytes have gone there, and carries all again as soon
    as it `is_plugged`.
    """

    def __init__(self, port: int, size: int, *, is_plugged: bool) -> None:
        self.is_plugged = is_plugged
        self._target = port
        self._left: list[int] = [size]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._serve)]
        self._ends: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"socket://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for end in (self._listener, *self._ends):
            end.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # Shut down.
            if not self._left and not self.is_plugged:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += (near, far)
            for source, sink, is_counted in ((near, far, True), (far, near, False)):
                thread = threading.Thread(target=self._carry, args=(source, sink, is_counted))
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_counted: bool) -> None:
        with contextlib.suppress(OSError):  # The other direction has ended it.
            while chunk := source.recv(4096):
                if is_counted and self._breaks(len(chunk)):
                    break
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _breaks(self, size: int) -> bool:
        if self._left:
            self._left[0] -= size
            if self._left[0] <= 0:
                self._left.clear()
                return True
        return False


def _run() -> None:

    fuses = {
        int(key): value for key, value in json.loads(os.environ["BOOTLOADER_REGISTERS"]).items()
    }
    of_profile = registers.read_reg_value
    registers.read_reg_value = lambda chip, addr: fuses.get(addr, of_profile(chip, addr))
    protocol.MOCK_FLASH_ID = int(os.environ["BOOTLOADER_FLASH_ID"])
    # It gives up on a reader that takes 50 ms for 4 KiB, which two busy cores do.
    server._CLIENT_RECV_TIMEOUT = 10.0
    # And hangs up three seconds after the first file, whatever comes then.
    server._FLASH_END_IDLE_SEC = 60.0
    sys.exit(cli.main())


if __name__ == "__main__":
    _run()
