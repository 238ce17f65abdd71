"""A stack as `preau init --docker` writes it, for tests."""

import subprocess
import sys
from pathlib import Path

from tests.servers import require

PREAU = Path(sys.executable).with_name("preau")
FILES = ("compose.yaml", "compose.demo.yaml", "compose.second-gateway.yaml")
ONE, DEMO, SECOND = FILES
COMBINATIONS = ((ONE,), (ONE, DEMO), (ONE, SECOND), (ONE, DEMO, SECOND))


def init_stack(folder: Path, *options: str) -> str:
    """What `preau init --docker` prints. It does not fail."""
    command = [str(PREAU), "init", "--docker", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compose(folder: Path, files: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess:
    """Debian's `docker-compose` in the folder of a stack. It reaches no Docker."""
    program = require("docker-compose")
    named = [word for file in files for word in ("-f", file)]
    command = [program, *named, *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        # Nothing of this process's environment may fill in what .env lacks.
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def set_variable(folder: Path, name: str, value: str | None) -> None:
    """Have `.env` say so; `None` takes the variable out."""
    file = folder / ".env"
    lines = [line for line in file.read_text().splitlines() if not line.startswith(f"{name}=")]
    lines += [] if value is None else [f"{name}={value}"]
    file.write_text("\n".join(lines) + "\n")
