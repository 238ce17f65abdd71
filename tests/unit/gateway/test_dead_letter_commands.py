"""`preau deadletters …`: what is meant, what is shown, and what is left alone."""

import base64
import io
import json
import os
from pathlib import Path

import pytest

from gateway.cli import run
from ingest.audit import audit
from ingest.pipeline import Incoming, Pipeline
from ingest.store.deadletters import DeadLetter
from ingest.store.reader import StoreReader
from ingest.store.writer import StoreWriter

NODE = "3c71bf4a2b10"
OTHER = "3c71bf4a2b11"
TOPIC = f"preau/v1/{NODE}/readings"
NOON = 1_795_518_000_000  # 24 November 2026 12:00 in Paris
HOUR = 3_600_000
NAME = "urn:dev:mac:3c71bffffe4a2b10_"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("PREAU_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "preau.toml").write_text('[data]\ndir = "data"\n[time]\nzone = "Europe/Paris"\n')
    return tmp_path / "data"


def letter(
    payload: bytes, at_ms: int = NOON, *, reason: str = "not_json", node: str | None = NODE
) -> DeadLetter:
    return DeadLetter(node, TOPIC, reason, "why", payload, at_ms)


def keep(data: Path, *letters: DeadLetter) -> None:
    with StoreWriter(data) as store:
        store.commit([], letters)


def kept(data: Path) -> list[bytes]:
    with StoreReader(data) as reader:
        return [one.payload for one in reader.dead_letters()]


def preau(*arguments: str) -> int:
    return run(["deadletters", *arguments])


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert preau("list", "--json", *arguments) == 0
    return [one["payload"] for one in json.loads(capsys.readouterr().out)]


def test_a_date_is_its_midnight_in_the_time_zone_of_the_settings(data, capsys):
    midnight = NOON - 12 * HOUR
    keep(data, letter(b"before", midnight - 1), letter(b"after", midnight))
    assert listed(capsys, "--from", "2026-11-24") == ["after"]
    assert listed(capsys, "--to", "2026-11-24") == ["before"]
    assert listed(capsys, "--from", "2026-11-23T22:59:59Z", "--to", "2026-11-24") == ["before"]
    assert listed(capsys, "--to", "2026-11-23T22:59:59Z") == []
    assert listed(capsys, "--from", "2026-11-23T23:59:59", "--to", "2026-11-24") == ["before"]


def test_counts_are_of_what_was_asked_for_and_more_is_told(data, capsys):
    keep(data, letter(b"a"), letter(b"b"), letter(b"c", reason="empty"), letter(b"d", node=None))
    assert preau("list", "--node", NODE, "--limit", "2") == 0
    out = capsys.readouterr().out
    assert "3 dead letters: empty 1, not_json 2\n" in out
    assert "--after 2" in out
    assert "2026-11-24 12:00:00+01:00" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--node", "nobody"], "--node is 'nobody'"),
        (["--from", "soon"], "--from: 'soon' is no time"),
        (["--from", "2026-11-24", "--to", "2026-11-24"], "must be earlier than --to"),
    ],
)
@pytest.mark.parametrize("command", ["list", "replay", "purge"])
def test_what_can_not_be_meant_is_one_line_and_exits_2(data, capsys, command, arguments, told):
    keep(data, letter(b"a"))
    assert preau(command, *arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert kept(data) == [b"a"]


@pytest.mark.parametrize(
    "arguments", [["list"], ["replay"], ["purge", "--all", "--yes"], ["replay", "--json"]]
)
def test_where_no_gateway_has_run_there_is_nothing_and_nothing_is_made(data, capsys, arguments):
    assert preau(*arguments) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["letters"] == [] if "--json" in arguments else "0 dead letters" in out
    assert not data.exists()


def test_show_tells_everything(data, capsys):
    with StoreWriter(data) as store:
        pack = f'[{{"bn":"{NAME}","blog":"5f3a9c01","bseq":41,"bver":27,"v":19.50}}]'.encode()
        for at_ms in (NOON, NOON + HOUR):
            Pipeline(store).take([Incoming(TOPIC, pack, at_ms)])

    assert preau("show", "1") == 0

    out = capsys.readouterr().out
    for fact in (
        NODE,
        TOPIC,
        "version",
        "bver is 27: 26 is the latest understood",
        "number 41 of log 5f3a9c01",
        "2026-11-24 12:00:00+01:00",
        "2 times in all, the last one 2026-11-24 13:00:00+01:00",
        f"{len(pack)} bytes",
        '\n    "v": 19.50\n',
    ):
        assert fact in out
    assert preau("show", "1", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["payload"], shown["seq"], shown["times"]) == (pack.decode(), 41, 2)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x1b[2J\xff\x00\x9b",
        '["\u009b31m\x7f\u202e"]'.encode(),
        b"[" * 10_000,
        b"[" * 900 + b"0," * 7000 + b"0" + b"]" * 900,
    ],
)
def test_nothing_that_a_letter_holds_reaches_the_terminal_raw(data, capsys, payload):
    keep(data, letter(payload, reason="\x1b[1m"))
    for command in (["list"], ["show", "1"]):
        assert preau(*command) == 0
        out = capsys.readouterr().out
        assert all(c == "\n" or c.isprintable() for c in out)
        assert len(out) < 500_000


def test_bytes_that_are_no_text_can_be_had_back(data, capsys):
    keep(data, letter(b"\xff\\xff"))
    assert preau("show", "1", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert base64.b64decode(shown["payload_base64"]) == b"\xff\\xff"


def test_a_payload_that_was_cut_is_shown_as_far_as_it_is_kept(data, capsys):
    keep(data, letter(b"x" * 20_000))
    assert preau("show", "1") == 0
    assert "20000 bytes, of which the first 16384 are kept" in capsys.readouterr().out


def test_an_id_that_there_is_not_exits_1(data, capsys):
    keep(data, letter(b"a"))
    assert preau("show", "7") == 1
    assert capsys.readouterr().err.startswith("preau: no dead letter has the id 7")


def test_purge_removes_what_is_named_and_the_numbers_stay_received(data, capsys):
    broken = f'[{{"bn":"{NAME}","blog":"5f3a9c01","bseq":1,"bver":27}}]'.encode()
    with StoreWriter(data) as store:
        Pipeline(store).take([Incoming(TOPIC, broken, NOON)])
    keep(data, letter(b"a"), letter(b"b", reason="empty"))

    assert preau("purge", "--reason", "version", "--yes") == 0
    assert capsys.readouterr().out == "purged 1 dead letter: version 1\n"
    assert kept(data) == [b"a", b"b"]
    with StoreReader(data) as reader:
        account = audit(reader.logs())
    assert (account.received, account.missing) == (1, 0)

    assert preau("purge", "--all", "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"empty": 1, "not_json": 1}
    assert kept(data) == []


@pytest.mark.parametrize("arguments", [[], ["--yes"], ["--all", "--node", NODE, "--yes"]])
def test_purge_wants_to_be_told_which(data, capsys, arguments):
    keep(data, letter(b"a"))
    assert preau("purge", *arguments) == 2
    assert "nothing was purged" in capsys.readouterr().err
    assert kept(data) == [b"a"]


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 1)])
def test_purge_tells_how_many_and_asks(data, capsys, monkeypatch, answer, status):
    keep(data, letter(b"a"))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))
    assert preau("purge", "--all") == status
    assert "1 dead letter: not_json 1" in capsys.readouterr().err
    assert kept(data) == ([] if answer == "y" else [b"a"])


def test_purge_with_nobody_to_answer_purges_nothing(data, capsys, monkeypatch):
    keep(data, letter(b"a"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert preau("purge", "--all") == 2
    assert "--yes" in capsys.readouterr().err
    assert kept(data) == [b"a"]


@pytest.mark.parametrize("arguments", [["replay"], ["purge", "--all", "--yes"]])
def test_while_the_service_runs_nothing_is_changed(data, capsys, arguments):
    with StoreWriter(data) as store:
        store.commit([], [letter(b"a")])
        assert preau(*arguments) == 1
        error = capsys.readouterr().err
        assert "in use by another preau process: stop it" in error
        assert error.count("\n") == 1
        assert kept(data) == [b"a"]
        assert preau("list") == 0, "what only reads runs beside it"
        assert preau("show", "1") == 0


def ahead(at_ms: int, value: float) -> bytes:
    """A record as it is set apart: usable but for its time."""
    return f'[{{"bn":"{NAME}","bt":{at_ms // 1000},"n":"co2","u":"ppm","v":{value}}}]'.encode()


def test_replay_tells_what_became_of_the_letters_and_of_their_readings(data, capsys):
    usable = [letter(ahead(NOON, v), NOON, reason="unknown_quantity") for v in (800, 801)]
    usable.append(letter(ahead(NOON + HOUR, 900), NOON + HOUR, reason="unknown_quantity"))
    with StoreWriter(data) as store:
        # Not yet sorted in when the replay begins, and not of it.
        Pipeline(store).take([Incoming(TOPIC, ahead(NOON - HOUR, 700), NOON)])
    keep(data, *usable, letter(b"nonsense"), letter(ahead(NOON + HOUR, 901), reason="time_ahead"))

    assert preau("replay") == 0
    out = capsys.readouterr().out
    assert f"4  {NODE}  stays, not_json: no JSON" in out
    assert f"5  {NODE}  stays, time_ahead: time is 3600 s ahead" in out
    assert "5 dead letters read again: 3 gone, 2 stay\n" in out
    assert "3 readings: 2 stored, 0 were there already, 1 contradict" in out
    assert "--clock-was-wrong" in out

    assert preau("replay", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["refused"] for one in told["letters"]] == ["not_json", "time_ahead", "conflict"]
    assert (told["gone"], told["stay"], told["stored"]) == (0, 3, 0)


def test_replay_reads_only_what_is_asked_for(data, capsys):
    keep(
        data,
        letter(ahead(NOON, 800), reason="unknown_quantity"),
        letter(ahead(NOON, 800), reason="wrong_unit"),
    )
    assert preau("replay", "--reason", "wrong_unit", "--json") == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)["letters"]] == [2]


def test_a_wrong_clock_was_wrong_at_some_time(data, capsys):
    keep(data, letter(ahead(NOON, 800), NOON - 48 * HOUR, reason="time_ahead"))
    assert preau("replay", "--clock-was-wrong") == 2
    assert "say when" in capsys.readouterr().err
    assert kept(data) != []


def test_a_clock_that_is_wrong_today_judges_nothing(data, capsys, monkeypatch):
    monkeypatch.setattr("gateway.commands.deadletters_replay.now_ms", lambda: 1000)
    keep(data, letter(ahead(NOON, 800), NOON - 48 * HOUR, reason="time_ahead"))
    assert preau("replay", "--clock-was-wrong", "--to", "2026-11-24") == 2
    assert "clock says 1970" in capsys.readouterr().err
    assert kept(data) != []


def test_with_the_clock_of_today_what_was_ahead_is_stored(data, capsys, monkeypatch):
    monkeypatch.setattr("gateway.commands.deadletters_replay.now_ms", lambda: NOON + HOUR)
    keep(data, letter(ahead(NOON, 800), NOON - 48 * HOUR, reason="time_ahead"))
    assert preau("replay", "--clock-was-wrong", "--to", "2026-11-24") == 0
    assert "1 readings: 1 stored" in capsys.readouterr().out
    assert kept(data) == []
