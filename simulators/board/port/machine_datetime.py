"""`machine.RTC().datetime`, setting only."""

import os
import time


def datetime(date):
    year, month, day, _, hour, minute, second, _ = date
    wanted = time.mktime((year, month, day, hour, minute, second, 0, 0))
    time._set_by_s += wanted - time.time()
    with open(os.getenv("BOARD_RTC_MEMORY") + ".set", "w") as file:
        file.write(str(time._set_by_s))
