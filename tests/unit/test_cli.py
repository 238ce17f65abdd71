"""The frame of the `preau` command, and the two commands that start a town off."""

import json
import os
import resource
import signal
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest

from gateway.cli import EXIT_INTERRUPTED, GROUP, build, run
from ingest.errors import ConfigurationError, StoreError
from ingest.store.writer import StoreWriter

PREAU = Path(sys.executable).with_name("preau")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PREAU_")]:
        monkeypatch.delenv(name)


@click.command(short_help="Says hello.")
def hello() -> None:
    click.echo("hello")


@click.command()
@click.argument("kind")
def fail(kind: str) -> None:
    raise {
        "configuration": ConfigurationError("first line\nsecond line"),
        "store": StoreError("the store is damaged"),
        "group": ExceptionGroup(
            "tasks", [StoreError("one"), ExceptionGroup("x", [StoreError("two")])]
        ),
        "mixed": ExceptionGroup("tasks", [StoreError("one"), KeyError("bug")]),
        "bug": KeyError("bug"),
        "interrupt": KeyboardInterrupt(),
    }[kind]


@click.command()
@click.argument("status", type=int)
def status(status: int) -> int:
    return status


no_command = "text"


def tree(**commands: str) -> click.Group:
    """A command of entry points: path (`_` for a dot) to `module:attribute`."""
    here = __name__
    return build(
        EntryPoint(name.replace("_", "."), target.replace("here:", f"{here}:"), GROUP)
        for name, target in commands.items()
    )


def test_a_dot_in_the_name_makes_a_group(capsys):
    group = tree(node_list="here:hello", node_add="here:fail", demo="here:hello")

    assert run(["node", "list"], group) == 0
    assert capsys.readouterr().out == "hello\n"
    assert group.list_commands(click.Context(group)) == ["demo", "node"]


def test_a_command_that_is_not_used_is_not_loaded(tmp_path, monkeypatch):
    (tmp_path / "loaded_only_when_used.py").write_text(
        "import click\ncommand = click.Command('x')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    group = tree(hello="here:hello", other="loaded_only_when_used:command")

    run(["hello"], group)
    assert "loaded_only_when_used" not in sys.modules
    run(["other"], group)
    assert "loaded_only_when_used" in sys.modules


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("nowhere_at_all:command", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("here:absent", "AttributeError"),
        ("here:no_command", "is no click command"),
    ],
)
def test_a_broken_command_costs_one_line_and_hinders_no_other(capsys, target, reason):
    group = tree(hello="here:hello", broken=target)

    assert run(["broken", "--any", "option"], group) == 1
    told = capsys.readouterr().err
    assert told.startswith("Error: the command 'broken' can't be loaded: ")
    assert reason in told
    assert told.count("\n") == 1

    assert run(["hello"], group) == 0
    assert run(["--help"], group) == 0
    listed = capsys.readouterr().out
    assert "Says hello." in listed
    assert "(can't be loaded: " in listed


@pytest.mark.parametrize(
    ("kind", "exit_status", "told"),
    [
        ("configuration", 2, "preau: first line\npreau: second line\n"),
        ("store", 1, "preau: the store is damaged\n"),
        ("group", 1, "preau: one\npreau: two\n"),
    ],
)
def test_an_error_of_ours_is_one_clear_line_and_a_status(capsys, kind, exit_status, told):
    assert run(["fail", kind], tree(fail="here:fail")) == exit_status
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(("kind", "error"), [("bug", KeyError), ("mixed", ExceptionGroup)])
def test_a_bug_is_not_hidden(kind, error):
    with pytest.raises(error):
        run(["fail", kind], tree(fail="here:fail"))


def test_an_interrupt_ends_without_a_trace(capsys):
    assert run(["fail", "interrupt"], tree(fail="here:fail")) == EXIT_INTERRUPTED
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["status"], ["status", "x"], ["--nonsense"]])
def test_bad_usage_is_2(arguments):
    assert run(arguments, tree(status="here:status")) == 2


def test_a_command_returns_its_status():
    assert run(["status", "1"], tree(status="here:status")) == 1


def test_the_version_is_that_of_the_distribution(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("preau 0.")


def test_every_installed_command_explains_itself_with_an_example(capsys):
    def walk(command: click.Command, path: list[str]) -> None:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                walk(inner, [*path, name])
            return
        assert run([*path, "--help"]) == 0, path
        assert "Example: preau " in capsys.readouterr().out, path

    walk(build(), [])


def test_ctrl_c_in_the_terminal_ends_with_130_and_no_trace(tmp_path):
    (tmp_path / "sleeper.py").write_text(
        "import sys, time, click\n"
        "from importlib.metadata import EntryPoint\n"
        "from gateway.cli import build, run\n"
        "@click.command()\n"
        "def command():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    entry = EntryPoint('sleep', '__main__:command', 'preau.commands')\n"
        "    sys.exit(run(['sleep'], build([entry])))\n"
    )
    with subprocess.Popen(
        [sys.executable, "sleeper.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell has what it runs in the background ignore Ctrl-C, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == EXIT_INTERRUPTED
    assert "Traceback" not in told


def test_the_installed_command_helps_at_once():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([PREAU, "--help"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    print(f"preau --help took {taken_s:.2f} s of processor time")
    assert "Usage: preau" in done.stdout
    assert taken_s < 5


def test_what_init_writes_is_what_check_accepts(capsys):
    assert run(["init", "town", "--town", 'Crécy "la" Chapelle']) == 0
    assert run(["check", "--settings", "town/preau.toml"]) == 0

    assert tomllib.loads(Path("town/estate.toml").read_text())["name"] == 'Crécy "la" Chapelle'
    assert "estate: in order, 1 site, 2 rooms, 0 nodes" in capsys.readouterr().out


def test_what_init_shows_in_comments_is_accepted_too():
    """Each block of settings that a comment shows can be uncommented."""
    run(["init"])
    estate = Path("estate.toml")
    examples = ("# [[", "# id", "# name", "# room", "# since", "# email", "# sites", "# first")
    examples += ("# last", "# co2", "# heating", "# cold")
    lines = estate.read_text().splitlines()
    estate.write_text("\n".join(line[2:] if line.startswith(examples) else line for line in lines))

    assert run(["check"]) == 0
    assert "[[node]]" in estate.read_text().splitlines()


def test_init_replaces_nothing_unless_told_to(capsys):
    Path("estate.toml").write_text("# years of work\n")

    assert run(["init"]) == 2
    assert "estate.toml already there; nothing was written" in capsys.readouterr().err
    assert Path("estate.toml").read_text() == "# years of work\n"
    assert not Path("preau.toml").exists()

    assert run(["init", "--force"]) == 0
    assert "[[site]]" in Path("estate.toml").read_text()


@pytest.mark.parametrize("town", ["", "  ", "a\nb", "x" * 121])
def test_init_refuses_a_name_that_is_no_line(town):
    assert run(["init", "--town", town]) == 2
    assert not Path("estate.toml").exists()


def test_init_says_why_a_folder_can_not_be_written(capsys):
    Path("town").write_text("a file")

    assert run(["init", "town"]) == 2
    assert "town can't be written" in capsys.readouterr().err


def test_check_tells_every_mistake_and_exits_2(capsys):
    run(["init"])
    estate = Path("estate.toml")
    estate.write_text(estate.read_text().replace("= 58", "= -58").replace('"C"', '"D"'))

    assert run(["check"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert told[0].startswith('estate.toml:15: calendar.school_zone = "D": must be one of')
    assert "area_m2 = -58: must be more than 0" in told[1]


def test_check_answers_a_machine_in_json(capsys):
    Path("preau.toml").write_text("[http]\nport = -1\n")

    assert run(["check", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert answer["problems"] == [
        {
            "file": "preau.toml",
            "line": 2,
            "key": "http.port",
            "value": "-1",
            "reason": "must be at least 0",
        }
    ]


def test_check_without_any_file_finds_nothing_wrong(capsys):
    assert run(["check"]) == 0
    assert "every node is to be placed" in capsys.readouterr().out


def test_check_opens_what_the_settings_name(capsys):
    Path("preau.toml").write_text(
        '[broker]\nhost = "b"\nusername = "u"\npassword_file = "absent"\n'
    )

    assert run(["check"]) == 2
    assert "broker.password_file: 'absent' can't be read" in capsys.readouterr().err


def test_check_reads_the_store_and_exits_1_if_it_is_damaged(tmp_path, capsys):
    with StoreWriter(tmp_path / "preau-data"):
        pass
    assert run(["check"]) == 0
    assert "store: in order" in capsys.readouterr().out

    file = next((tmp_path / "preau-data").glob("*.db"))
    content = bytearray(file.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    file.write_bytes(content)

    assert run(["check"]) == 1
    assert capsys.readouterr().err
