"""What is wrong with a scenario is told with file, line, key and reason, and nothing is started."""

import re
from pathlib import Path

import pytest

from gateway.cli import run
from simulators.scenario.load import ScenarioError, find_scenario, load_scenario, shipped_names

HEAD = "begin = 2027-01-12T06:00:00\nend = 2027-01-13T06:00:00\n"


def problems(tmp_path: Path, text: str, *, short: bool = False, head: str = HEAD) -> list[str]:
    file = tmp_path / "mine.toml"
    file.write_text(head + text)
    with pytest.raises(ScenarioError) as refused:
        load_scenario(file, short=short)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sed = 3\n", "mine.toml:3: sed: is not known here; did you mean seed?"),
        (
            '[[room]]\nref = "prevert/cp"\nvolume_m3 = -174\n',
            "mine.toml:5: room[0].volume_m3 = -174: must be more than 0",
        ),
        (
            '[[room]]\nref = "prevert/cq"\n',
            (
                'mine.toml:4: room[0].ref = "prevert/cq": '
                "is no room of the estate; did you mean prevert/cp?"
            ),
        ),
        (
            '[[room]]\nref = "prevert/cp"\nchips = ["sht9"]\n',
            (
                "mine.toml:5: room[0].chips: 'sht9' is no chip known here: sht4x, sht3x, ds18b20, "
                "dht22, bme280, scd41, scd40, scd30, mh-z19c, s8"
            ),
        ),
        (
            (
                '[[fault]]\nwhat = "frozen"\nroom = "prevert/cp"\nchip = "sht4x"\n'
                "since = 2027-01-11T00:00:00\n"
            ),
            "mine.toml:7: fault[0].since: is before the scenario begins, 2027-01-12T06:00",
        ),
        (
            '[[fault]]\nwhat = "frozn"\n',
            'mine.toml:4: fault[0].what = "frozn": is not known here; did you mean frozen?',
        ),
        (
            '[[fault]]\nwhat = "broker_down"\n',
            "mine.toml:3: fault[0]: give either `since`, when it begins, or `times`, how often",
        ),
        (
            (
                '[[fault]]\nwhat = "frozen"\nroom = "prevert/cp"\nchip = "ds18b20"\n'
                "times = 1\nlasting_s = 60\n"
            ),
            'mine.toml:6: fault[0].chip = "ds18b20": is no chip of that room: sht4x, scd41',
        ),
        (
            '[[fault]]\nwhat = "influxdb_down"\ntimes = 1\n',
            'mine.toml:4: fault[0].what = "influxdb_down": needs `influxdb = true`',
        ),
        (
            '[[expect]]\nwhat = "temperature"\nat_least = 18\n',
            "mine.toml:3: expect[0].room: is missing",
        ),
        (
            '[[expect]]\nwhat = "temperature"\nroom = "prevert/cp"\n',
            "mine.toml:3: expect[0]: give `at_least`, `at_most` or both",
        ),
        (
            '[[expect]]\nwhat = "alert"\nroom = "prevert/cp"\n',
            (
                'mine.toml:4: expect[0].what = "alert": '
                "alerts can't be expected yet: Préau has none so far"
            ),
        ),
        (
            '[[expect]]\nwhat = "overview"\nroom = "prevert/cp"\nsays = "code"\n',
            'mine.toml:6: expect[0].says = "code": is no condition; did you mean cold?',
        ),
        (
            '[[expect]]\nwhat = "dead_letters"\nreason = "wrong_unti"\nat_most = 0\n',
            'mine.toml:5: expect[0].reason = "wrong_unti": is no reason; did you mean wrong_unit?',
        ),
        (
            '[[fault]]\nwhat = "link_cut"\ntimes = 1\nrooms = ["prevert/cq"]\n',
            (
                'mine.toml:6: fault[0].rooms = "prevert/cq": is no room of the estate; '
                "did you mean prevert/cp?"
            ),
        ),
        (
            '[[fault]]\nwhat = "link_cut"\nsince = 2027-01-12T07:00:00\nlasting_s = 60\n',
            "mine.toml:3: fault[0]: `lasting_s` goes with `times`; with `since` write `until`",
        ),
        (
            '[[fault]]\nwhat = "boiler_down"\nbuilding = "prevert/principal"\ntimes = 2\n',
            "mine.toml:3: fault[0].lasting_s: is missing: how long each boiler_down lasts",
        ),
        (
            '[[fault]]\nwhat = "boiler_down"\nbuilding = "prevert"\ntimes = 2\nlasting_s = 9\n',
            (
                'mine.toml:5: fault[0].building = "prevert": is no building of the estate; '
                "there are prevert/principal, prevert/restaurant, tilleuls/maternelle"
            ),
        ),
        (
            (
                '[[fault]]\nwhat = "frozen"\nroom = "prevert/cp"\nchip = "scd41"\nppm_a_year = 3\n'
                "since = 2027-01-12T07:00:00\n"
            ),
            "mine.toml:7: fault[0].ppm_a_year: goes with baseline_drift, not with frozen",
        ),
        (
            (
                '[[fault]]\nwhat = "power_on_value"\nroom = "prevert/cp"\nchip = "scd41"\n'
                "since = 2027-01-12T07:00:00\n"
            ),
            (
                'mine.toml:6: fault[0].chip = "scd41": measures no temperature, '
                "which is what power_on_value spoils"
            ),
        ),
        (
            (
                '[[room]]\nref = "prevert/cp"\nchips = ["sht4x"]\n'
                '[[expect]]\nwhat = "quality"\nroom = "prevert/cp"\nquantity = "co2"\n'
                'quality = "bad"\nat_most = 0\n'
            ),
            'mine.toml:8: expect[0].room = "prevert/cp": has no chip that measures co2, only sht4x',
        ),
        (
            (
                '[[expect]]\nwhat = "quality"\nroom = "prevert/cp"\nquantity = "co3"\n'
                'quality = "bad"\nat_most = 0\n'
            ),
            (
                'mine.toml:6: expect[0].quantity = "co3": '
                "must be one of 'temperature', 'humidity', 'co2' or 'battery'"
            ),
        ),
        (
            (
                '[[expect]]\nwhat = "quality"\nroom = "prevert/cp"\nquantity = "co2"\n'
                'quality = "worse"\nat_most = 0\n'
            ),
            "mine.toml:7: expect[0].quality = \"worse\": must be one of 'good', 'suspect' or 'bad'",
        ),
        (
            '[[expect]]\nwhat = "overview"\nroom = "prevert/cp"\nsays_not = "colde"\n',
            'mine.toml:6: expect[0].says_not = "colde": is no condition; did you mean cold?',
        ),
        (
            '[expect]\nwhat = "nothing_missing"\n',
            "mine.toml:3: expect: must be written with two brackets, [[expect]]",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, told: str):
    assert problems(tmp_path, text) == [told]


def test_all_mistakes_are_told_together_in_the_order_of_the_file(tmp_path: Path):
    text = 'sed = 3\n[[fault]]\nwhat = "frozn"\n[[expect]]\nwhat = "co2"\nroom = "x"\n'
    lines = [one.split(":")[1] for one in problems(tmp_path, text)]
    assert lines == ["3", "5", "6"]


def test_an_expectation_outside_the_short_form_says_how_to_leave_it_out(tmp_path: Path):
    text = (
        "[short]\nend = 2027-01-12T08:00:00\n"
        '[[expect]]\nwhat = "co2"\nroom = "prevert/cp"\nat_most = 1\nuntil = 2027-01-12T09:00:00\n'
    )
    (told,) = problems(tmp_path, text, short=True)
    assert told.startswith("mine.toml:9: expect[0].until: is after the scenario ends")
    assert "`short = false` leaves it out" in told


def test_a_period_before_any_gateway_is_refused(tmp_path: Path):
    head = "begin = 2026-01-12T06:00:00\nend = 2026-01-13T06:00:00\n"
    (told,) = problems(tmp_path, "", head=head)
    assert told.startswith("mine.toml:1: begin: must not be before 2026-11-01")


def test_an_estate_that_is_wrong_is_told_with_its_own_file(tmp_path: Path):
    (tmp_path / "town.toml").write_text('name = "X"\ncolour = "blue"\n')
    assert problems(tmp_path, 'estate = "town.toml"\n') == [
        "town.toml:2: colour: is not known here; known are name, thresholds, calendar"
    ]


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_scenario_can_be_read_in_both_forms(name: str):
    whole = load_scenario(find_scenario(name))
    short = load_scenario(find_scenario(name), short=True)
    assert whole.head.about
    assert short.end_ms - short.begin_ms < whole.end_ms - whole.begin_ms or short.head.nodes


def test_the_scenario_in_the_documentation_can_be_read(tmp_path: Path):
    page = (Path(__file__).parents[4] / "docs" / "simulators.md").read_text()
    (text,) = re.findall(r"```toml\n(about.*?)```", page, re.DOTALL)
    file = tmp_path / "mine.toml"
    file.write_text(text)
    scenario = load_scenario(file)
    assert (len(scenario.faults), len(scenario.expectations)) == (2, 2)


def test_a_file_that_is_not_there_is_told_with_what_there_is(capsys):
    assert run(["simulate", "nowhere.toml"]) == 2
    said = capsys.readouterr().err
    assert "'nowhere.toml' is neither a file nor a scenario known here" in said
    assert "preau init" not in said


@pytest.mark.parametrize("option", [["--shift", "5"], ["--shift", "now"]])
def test_what_only_a_recording_has_is_refused_for_a_scenario(option, capsys):
    assert run(["simulate", "winter-week", *option]) == 2
    assert "--shift goes with --replay" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--nodes", "5"], ["--short"]])
def test_what_only_a_scenario_has_is_refused_for_a_recording(option, tmp_path, capsys):
    file = tmp_path / "readings.csv"
    file.write_text("")
    assert run(["simulate", "--replay", str(file), *option]) == 2
    assert f"{option[0]} goes with a scenario, not with --replay" in capsys.readouterr().err


def test_a_name_that_is_none_is_told_with_the_nearest(capsys):
    assert run(["simulate", "winter-weak"]) == 2
    assert "did you mean winter-week?" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_told_before_anything_is_started(tmp_path, capsys):
    report = str(tmp_path / "nowhere" / "junit.xml")
    assert run(["simulate", "winter-week", "--report", report]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_fewer_nodes_than_an_expectation_needs_are_refused(capsys):
    assert run(["simulate", "winter-week", "--nodes", "2"]) == 2
    said = capsys.readouterr().err
    assert 'room = "prevert/cm2": has no node: only the first 2 of 12 take part' in said


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan"])
def test_a_speed_that_is_none_is_refused(speed: str, capsys):
    assert run(["simulate", "winter-week", "--speed", speed]) == 2
    assert "must be full, or a number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("http://127.0.0.1", "must look like mqtt://127.0.0.1:1883"),
        ("mqtt://a:secret@127.0.0.1", "PREAU_SIMULATE_PASSWORD"),
        ("mqtt://127.0.0.1:99999", "--target"),
    ],
)
def test_a_target_that_is_none_is_refused_and_no_password_shown(target: str, told: str, capsys):
    assert run(["simulate", "winter-week", "--target", target]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "secret" not in said


BOARDS = HEAD + "nodes = 3\nfirmware = 2\nspeed = 1\n"
IN_CP = 'room = "prevert/cp"\nsince = 2027-01-12T07:00:00\n'


@pytest.mark.parametrize(
    ("head", "text", "told"),
    [
        (
            HEAD,
            "firmware = 2\n",
            (
                "mine.toml:3: firmware = 2: needs `speed = 1`: chips, watchdog and MQTT of a board "
                "keep the time of day"
            ),
        ),
        (
            HEAD,
            "nodes = 3\nspeed = 1\nfirmware = 4\n",
            "mine.toml:5: firmware = 4: is more than the 3 nodes that take part",
        ),
        (
            HEAD,
            'speed = 1\nfirmware = "all"\npower = "battery"\n',
            (
                'mine.toml:4: firmware = "all": needs `power = "mains"`: boards that sleep are not '
                "played yet"
            ),
        ),
        (
            BOARDS,
            f'[[fault]]\nwhat = "wrong_clock"\nahead_s = 60\n{IN_CP}',
            (
                'mine.toml:7: fault[0].what = "wrong_clock": can\'t befall it: the node in '
                "prevert/cp runs the real firmware, which has its time from the gateway"
            ),
        ),
        (
            BOARDS,
            f'[[fault]]\nwhat = "worn_battery"\n{IN_CP}',
            (
                'mine.toml:7: fault[0].what = "worn_battery": can\'t befall it: the node in '
                "prevert/cp runs the real firmware, on mains"
            ),
        ),
        (
            BOARDS,
            f'[[fault]]\nwhat = "disconnected"\nchip = "sht4x"\nvalue = -127.0\n{IN_CP}',
            (
                "mine.toml:9: fault[0].value = -127.0: can't be told: the node in prevert/cp runs "
                "the real firmware, which says nothing for a chip that does not answer"
            ),
        ),
        (
            BOARDS,
            (
                '[[room]]\nref = "prevert/cp"\nchips = ["bme280"]\n'
                f'[[fault]]\nwhat = "checksum_errors"\nchip = "bme280"\n{IN_CP}'
            ),
            (
                'mine.toml:11: fault[0].chip = "bme280": can\'t be garbled on a board: the node in '
                "prevert/cp runs the real firmware; sht4x, sht3x, scd41, scd40, scd30 can"
            ),
        ),
        (
            BOARDS,
            '[[expect]]\nwhat = "battery"\nroom = "prevert/cp"\nat_least = 3\n',
            (
                'mine.toml:7: expect[0].what = "battery": is not measured: the node in prevert/cp '
                "runs the real firmware, on mains"
            ),
        ),
        (
            HEAD,
            'power = "battery"\n[[fault]]\nwhat = "power_cut"\ntimes = 1\n',
            (
                'mine.toml:5: fault[0].what = "power_cut": needs `power = "mains"`: '
                "a node on batteries sleeps through it"
            ),
        ),
    ],
)
def test_what_cant_be_played_with_boards_is_told(tmp_path: Path, head: str, text: str, told: str):
    assert problems(tmp_path, text, head=head) == [told]


def test_the_same_befalls_the_virtual_nodes_beside_them(tmp_path: Path):
    file = tmp_path / "mine.toml"
    fault = '[[fault]]\nwhat = "wrong_clock"\nahead_s = 60\nroom = "prevert/ce2"\n'
    file.write_text(BOARDS + fault + "times = 1\nlasting_s = 60\n")
    assert load_scenario(file).head.firmware == 2


def test_another_speed_on_the_command_line_is_refused(capsys):
    assert run(["simulate", "firmware-outage", "--speed", "60"]) == 2
    assert "firmware = 4: needs `speed = 1`" in capsys.readouterr().err
