"""Tells of an error that ended the program, on the serial console, before the restart.

Lies at the root of the flash beside `main`, which loads it only then.
"""

import sys
import time


def tell(error: BaseException) -> None:
    """Prints the error with where it was raised; the pause keeps restarts from being a storm."""
    sys.print_exception(error)
    time.sleep(5)
