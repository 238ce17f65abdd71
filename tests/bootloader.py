"""A chip's bootloader on a TCP port, with a flash that outlives connections: `esp32-mock-bootloader`.

Run as a program it is that bootloader, with fuses and a flash chip of our choice.
"""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers import Server, free_port

_FLASH_ID_4_MIB = 0x0016_4020


class Bootloader(Server):
    """`registers` are fuses: value by address. `flash_id` is the flash chip's, size in bits 16 on."""

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


@contextmanager
def cut_after(port: int, size: int) -> Iterator[int]:
    """A port that carries `size` bytes to `port` and then drops the cable, once; carries all later
    connections whole.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    left = [size]
    threads: list[threading.Thread] = []

    def carry(source: socket.socket, sink: socket.socket, *, counted: bool) -> None:
        try:
            while chunk := source.recv(4096):
                if counted and left[0] is not None:
                    left[0] -= len(chunk)
                    if left[0] <= 0:
                        left[0] = None  # type: ignore[call-overload]
                        break
                sink.sendall(chunk)
        except OSError:
            pass  # The other direction has ended it.
        for one in (source, sink):
            with one:
                pass

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", port))
            for pair, counted in (((near, far), True), ((far, near), False)):
                thread = threading.Thread(target=carry, args=pair, kwargs={"counted": counted})
                thread.start()
                threads.append(thread)

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.join(10)
        for thread in threads:
            thread.join(10)


def _run() -> None:
    from esp32_mock_bootloader import cli, protocol, registers, server

    fuses = {int(key): value for key, value in json.loads(os.environ["BOOTLOADER_REGISTERS"]).items()}
    of_profile = registers.read_reg_value
    registers.read_reg_value = lambda chip, addr: fuses.get(addr, of_profile(chip, addr))
    protocol.MOCK_FLASH_ID = int(os.environ["BOOTLOADER_FLASH_ID"])
    # It gives up on a reader that takes 50 ms for 4 KiB, which two busy cores do.
    server._CLIENT_RECV_TIMEOUT = 10.0
    sys.exit(cli.main())


if __name__ == "__main__":
    _run()
