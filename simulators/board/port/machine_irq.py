"""Interrupts of pins: the host tells of each change, and the handler runs as the ESP32 has it, out
of turn, between any two steps of the program. What finds the queue full is lost, as there.
"""

import _thread
import os
import socket
import struct

import micropython


def listen(pin, handler, trigger):
    line = socket.socket()
    line.connect(socket.getaddrinfo("127.0.0.1", int(os.getenv("BOARD_WIRE")))[0][-1])
    line.send(struct.pack("<BBH", ord("I"), pin.id, 0))
    # The answer: from now on the host tells.
    line.readinto(bytearray(3))
    level = bytearray((pin.value(),))
    pin.told = level
    _thread.start_new_thread(_tell, (line, level, pin, handler, trigger))


def _tell(line, level, pin, handler, trigger):
    while line.readinto(level) == 1:
        if trigger & (pin.IRQ_RISING if level[0] else pin.IRQ_FALLING):
            try:
                micropython.schedule(handler, pin)
            except RuntimeError:
                continue
