"""The fixture `preau_town` for whoever tests against Préau: a town whose clock the test moves.

Loaded by every pytest that finds Préau installed, so it imports nothing else before it is used.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from simulators.scenario.fixture import PreauTown


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "preau_town(scenario): the scenario, a file or a name, whose town `preau_town` plays",
    )


@pytest.fixture
def preau_town(request: pytest.FixtureRequest) -> "Iterator[PreauTown]":
    """A broker, a gateway and a simulated town on free ports; time passes when the test says so.

    `@pytest.mark.preau_town("winter-week")` gives it the town, period and faults of chips and
    buildings of a scenario; otherwise it is the demo town from Monday 11 January 2027 on.
    """
    from simulators.scenario.fixture import DEFAULT, open_town  # noqa: PLC0415 - only when used
    from simulators.scenario.load import find_scenario  # noqa: PLC0415

    marker = request.node.get_closest_marker("preau_town")
    path: Path = find_scenario(str(marker.args[0])) if marker and marker.args else DEFAULT
    with open_town(path) as town:
        yield town
