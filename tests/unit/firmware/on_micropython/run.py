"""Runs one check in MicroPython: `run.py MODULE FUNCTION`."""

import sys

getattr(__import__(sys.argv[1]), sys.argv[2])()
