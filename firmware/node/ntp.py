"""The time from a server of the town's network. It must not know who wants it."""

import time


def ask_ntp(host: str):
    """Unix seconds from an NTP server, or None; blocks for a second at most once resolved."""
    try:
        import ntptime
    except ImportError:
        return None
    ntptime.host = host
    try:
        seconds = ntptime.time()
    except (OSError, IndexError):
        return None
    return seconds + 946_684_800 if time.gmtime(0)[0] == 2000 else seconds
