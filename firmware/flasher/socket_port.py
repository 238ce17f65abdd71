"""A serial port at the other end of a TCP connection, `socket://host:port`: a board on another
machine, or a program that answers as one.
"""

import fcntl
import socket
import struct
import sys
import termios
from typing import Final

from serial import PortNotOpenError
from serial.urlhandler import protocol_socket

SCHEME: Final = "socket://"


class SocketPort(protocol_socket.Serial):  # type: ignore[misc]
    """pyserial's, which says of what waits only whether there is any: esptool would take it byte by
    byte, too slowly for what sends to it.
    """

    @property
    def in_waiting(self) -> int:
        """How many bytes can be read at once."""
        if not self.is_open:
            raise PortNotOpenError
        # An acknowledgement held back for 40 ms holds up the other end, which has more to send (RFC
        # 896). It has to be asked for again and again.
        if sys.platform == "linux":
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        waiting = fcntl.ioctl(self._socket, termios.FIONREAD, bytes(4))
        return int(struct.unpack("i", waiting)[0])

    def close(self) -> None:
        """Let it go, also where the other end has gone already."""
        opened = self._socket if self.is_open else None
        super().close()
        if opened is not None:
            opened.close()
