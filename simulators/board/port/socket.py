"""`socket`: what the chip has at the address of its access point is at one of the host's own
(`simulators/board/access_point.py`).
"""

import usocket


def getaddrinfo(host, *key):
    return usocket.getaddrinfo("127.0.4.1" if host == "192.168.4.1" else host, *key)


def __getattr__(name):
    return getattr(usocket, name)
