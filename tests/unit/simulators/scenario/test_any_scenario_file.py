"""Whatever a scenario file holds, it is read or refused with its line: never a traceback."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.estate.fields import EstateModel
from ingest.estate.problems import Problem
from simulators.scenario.load import ScenarioError, load_scenario, names_of
from simulators.scenario.model import (
    EXPECTATIONS,
    FAULTS,
    HeadTable,
    RoomTable,
    ShortTable,
    SpellTable,
)

TIMES = st.datetimes(datetime(2026, 10, 1), datetime(2027, 3, 1)).map(  # noqa: DTZ001 - local, as in a file
    lambda at: at.replace(microsecond=0).isoformat()
)
WORDS = [
    *("prevert/cp", "prevert/cm1", "prevert/principal", "demo", "full", "battery", "co2", "good"),
    *("cold", "wrong_unit", "sht4x", "scd41", "always", "", "é\u202e", "../..", "x" * 5000),
]
NUMBERS = [0, 1, -1, 60, 3600, 10**6, 2**63, 10**400, 0.5, -0.0, 1e-320, 1e308]
SCALARS = st.one_of(
    st.sampled_from(WORDS).map(json.dumps),
    st.sampled_from(NUMBERS).map(str),
    st.sampled_from(["true", "false", "nan", "inf", "-inf", "07:30:00", "2027-01-12"]),
    TIMES,
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
TABLE = st.just("{ seed = -1, spell = 3 }")
HEAD_KEYS = [key for key in HeadTable.model_fields if key not in {"begin", "end", "short"}]


def tables(name: str, models: Sequence[type[EstateModel]]) -> st.SearchStrategy[str]:
    """`[[name]]` with a few of the keys that one of its kinds has."""

    def of_kind(model: type[EstateModel]) -> st.SearchStrategy[str]:
        keys = [key for key in model.model_fields if key != "what"]
        whats = names_of(model) if "what" in model.model_fields else ("",)
        what = st.sampled_from(whats).map(lambda one: f'what = "{one}"\n' if one else "")
        return st.tuples(what, some(keys)).map("".join)

    body = st.one_of(*map(of_kind, models))
    return body.map(lambda text: f"{name}\n{text}")


def some(keys: Sequence[str]) -> st.SearchStrategy[str]:
    pairs = st.dictionaries(st.sampled_from(keys), VALUES | TABLE, max_size=6)
    return pairs.map(lambda chosen: "".join(f"{key} = {v}\n" for key, v in chosen.items()))


SCENARIOS = st.tuples(
    st.just("begin = 2027-01-12T06:00:00\nend = 2027-01-13T06:00:00\n")
    | st.tuples(TIMES, TIMES).map("begin = {0[0]}\nend = {0[1]}\n".format),
    some(HEAD_KEYS),
    st.just("") | tables("[short]", [ShortTable]),
    st.just("") | tables("[[weather.spell]]", [SpellTable]),
    st.just("") | tables("[[room]]", [RoomTable]),
    st.just("") | tables("[[fault]]", FAULTS),
    st.just("") | tables("[[expect]]", EXPECTATIONS),
).map("".join)


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(text=SCENARIOS, short=st.booleans(), own_gateway=st.booleans())
def test_it_is_read_or_refused_with_its_line(text: str, short: bool, own_gateway: bool):
    with TemporaryDirectory() as folder:
        file = Path(folder) / "mine.toml"
        file.write_text(text, encoding="utf-8")
        refused: tuple[Problem, ...] = ()
        try:
            scenario = load_scenario(file, short=short, own_gateway=own_gateway)
        except ScenarioError as error:
            refused = error.problems
        else:
            assert scenario.begin_ms < scenario.end_ms
            return
    assert refused
    for problem in refused:
        assert problem.reason
        assert str(problem).isprintable()
        assert problem.file == str(file)
        assert problem.line is not None or "TOML" in problem.reason, problem
