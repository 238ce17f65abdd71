"""How much memory a process takes: its peak where the system keeps it, else what it takes now."""

import os
import subprocess
import sys
from pathlib import Path

from simulators.scenario.weight import Weight, weight_of

MIB = 1024
BALLOON = """
import sys
assert len(b"1" * (200 * 2**20))
print(flush=True)
sys.stdin.read()
"""


def test_what_was_taken_for_a_moment_long_ago_is_in_the_peak():
    command = [sys.executable, "-c", BALLOON]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        weight = weight_of(process.pid)
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.stdin.close()
    assert weight.is_peak
    assert 200 * MIB < weight.kib < 260 * MIB
    (now,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    assert int(now.split()[1]) < 100 * MIB


def test_a_kernel_that_keeps_no_peak_is_said_to_keep_none(tmp_path: Path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text("Name:\tpreau\nVmRSS:\t  81234 kB\n")
    assert weight_of(7, tmp_path) == Weight(81_234, is_peak=False)


def test_a_system_without_proc_is_asked_through_ps(tmp_path: Path):
    weight = weight_of(os.getpid(), tmp_path / "none")
    assert not weight.is_peak
    assert weight.kib > 10 * MIB
