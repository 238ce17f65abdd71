"""The gateway of a scenario in a process of its own, which may be killed.

`python -m simulators.scenario.gateway_process SETTINGS CLOCK`: settings as JSON, and the file of
the scenario's clock. It is the service that `preau run` runs, with another clock.
"""

import sys
from pathlib import Path

from gateway.cli import set_up_logging
from gateway.running import run_until_stopped
from gateway.service import serve
from gateway.settings import Settings
from simulators.scenario.clock import ScenarioClock


def main() -> None:
    """Run until SIGTERM."""
    settings_file, clock_file = map(Path, sys.argv[1:])
    set_up_logging()
    settings = Settings.model_validate_json(settings_file.read_text(encoding="utf-8"))
    with ScenarioClock(clock_file) as clock:
        run_until_stopped(serve(settings, clock_ms=clock.now_ms))


if __name__ == "__main__":
    main()
