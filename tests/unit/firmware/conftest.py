"""The firmware as a node runs it, compiled once."""

import pytest

from simulators.board.program import Program, prepare_program


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return prepare_program(tmp_path_factory.mktemp("program"))
