"""Fixtures for all layers: real servers and folders of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import Server, mosquitto_server, running

settings.register_profile(
    "preau", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("preau")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Server]:
    """A running Mosquitto on a free port."""
    with running(mosquitto_server(tmp_path)) as server:
        yield server


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell the order of tests that failed, which -q leaves out."""
    seed = config.getoption("randomly_seed", None)
    if seed is not None and terminalreporter.stats.get("failed"):
        terminalreporter.write_line(f"the order of this run: --randomly-seed={seed}")
