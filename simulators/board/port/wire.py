"""The wire from the virtual board to its host: one request, one answer, over loopback TCP.

A request is operation u8, target u8, size u16 and data; an answer is errno u8 (0: done), size
u16 and data. The host is `simulators/board/bus.py`.
"""

import os
import socket
import struct

_socket = socket.socket()
_socket.connect(socket.getaddrinfo("127.0.0.1", int(os.getenv("BOARD_WIRE")))[0][-1])
_head = bytearray(3)


def ask(operation, target=0, data=b""):
    """The answer's data; raises OSError with the answer's errno."""
    _socket.write(struct.pack("<BBH", ord(operation), target, len(data)) + data)
    _socket.readinto(_head)
    error, size = _head[0], _head[1] | _head[2] << 8
    try:
        answer = _socket.read(size)
    except MemoryError:
        # Where there is no room for it, the next answer still begins after this one.
        while size:
            size -= _socket.readinto(_head, min(size, 3))
        raise
    if error:
        raise OSError(error)
    return answer
