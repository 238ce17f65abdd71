"""The wire from the virtual board to its host: one request, one answer, over loopback TCP.

A request is operation u8, target u8, size u16 and data; an answer is errno u8 (0: done), size
u16 and data. The host is `simulators/board/bus.py`.
"""

import errno
import os
import socket
import struct

_socket = None


def _connect():
    global _socket
    _socket = socket.socket()
    _socket.connect(socket.getaddrinfo("127.0.0.1", int(os.getenv("BOARD_WIRE")))[0][-1])


def _receive(size):
    data = b""
    while len(data) < size:
        part = _socket.recv(size - len(data))
        if not part:
            raise OSError(errno.ETIMEDOUT)
        data += part
    return data


def ask(operation, target=0, data=b""):
    """The answer's data; raises OSError with the answer's errno."""
    if _socket is None:
        _connect()
    _socket.send(struct.pack("<BBH", ord(operation), target, len(data)) + bytes(data))
    error, size = struct.unpack("<BH", _receive(3))
    answer = _receive(size)
    if error:
        raise OSError(error)
    return answer
