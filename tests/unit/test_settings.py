"""Settings: where each comes from, which one wins, and where a mistake is told to be."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.endpoint import Endpoint, is_loopback, parse_endpoint
from gateway.settings import SettingsError, load_settings
from gateway.settings_forwarder import ForwarderSettings
from ingest.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder and an environment of our own."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PREAU_")]:
        monkeypatch.delenv(name)


def written(text: str, name: str = "preau.toml") -> Path:
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def problems_of(path: Path | None = None, **overrides: dict[str, object]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, overrides)
    return [str(problem) for problem in caught.value.problems]


def test_without_any_file_a_gateway_serves_this_machine_only():
    settings = load_settings()

    assert (settings.broker.embedded, settings.broker.host, settings.broker.port) == (
        True,
        "127.0.0.1",
        1883,
    )
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)
    assert settings.estate_file == Path("estate.toml")
    assert settings.zone.key == "Europe/Paris"


def test_each_later_place_wins(monkeypatch: pytest.MonkeyPatch):
    written("[http]\nport = 1\n[store]\ngroup_ms = 1\ngroup_packs = 1\n")
    monkeypatch.setenv("PREAU_STORE__GROUP_MS", "2")
    monkeypatch.setenv("PREAU_STORE__GROUP_PACKS", "2")

    settings = load_settings(None, {"store": {"group_packs": 3, "group_ms": None}})

    assert settings.http.port == 1
    assert (settings.store.group_ms, settings.store.group_packs) == (2, 3)


def test_an_empty_variable_sets_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREAU_BROKER__USERNAME", "")

    assert load_settings().broker.username is None


def test_the_file_may_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREAU_SETTINGS", str(written("[http]\nport = 7\n", "etc/p.toml")))

    assert load_settings().http.port == 7


def test_paths_of_the_file_are_relative_to_it_and_others_are_not(monkeypatch: pytest.MonkeyPatch):
    file = written('[broker]\nhost = "b"\ntls_ca = "ca.pem"\n[estate]\nfile = "/e.toml"\n', "etc/p")
    monkeypatch.setenv("PREAU_BROKER__USERNAME", "u")
    monkeypatch.setenv("PREAU_BROKER__PASSWORD_FILE", "secret")

    settings = load_settings(file)

    assert settings.data.dir == Path("etc/preau-data")
    assert settings.estate_file == Path("/e.toml")
    assert settings.broker.tls_ca == Path("etc/ca.pem")
    assert settings.broker.password_file == Path("secret")


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().http.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("host", "is_open"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False)]
)
def test_the_page_reads_without_account_only_where_none_but_this_machine_can(host, is_open):
    assert load_settings(None, {"http": {"host": host}}).http.read_without_account is is_open


def test_the_operator_decides_who_reads_the_page():
    http = {"host": "0.0.0.0", "read_without_account": True}

    assert load_settings(None, {"http": http}).http.read_without_account


def test_a_broker_with_a_host_runs_there_unless_the_file_says_it_is_the_embedded_one():
    assert not load_settings(None, {"broker": {"host": "b"}}).broker.embedded
    assert load_settings(None, {"broker": {"host": "::1", "embedded": True}}).broker.embedded
    assert load_settings(None, {"broker": {"port": 1884}}).broker.embedded


def test_the_embedded_broker_is_not_open_to_a_network():
    (problem,) = problems_of(None, broker={"host": "0.0.0.0", "embedded": True})

    assert "needs broker.username and broker.password_file" in problem


def test_mistakes_of_all_places_are_told_together_each_with_its_place(
    monkeypatch: pytest.MonkeyPatch,
):
    written(
        '[http]\nport = 99999\nhots = "x"\n[time]\nzone = "Europe/Trilport"\n'
        '[ui]\nlanguage = "de"\n[data]\ndir = 3\n[log]\n'
    )
    monkeypatch.setenv("PREAU_STORE__GROUP_MS", "soon")
    monkeypatch.setenv("PREAU_BROKRE__HOST", "x")

    sections = ["data", "broker", "http", "store", "forwarder", "share", "estate"]
    sections += ["firmware", "pki", "nodes", "micropython", "ui", "time"]
    variables = ", ".join(f"PREAU_{section.upper()}" for section in sections)
    zone = "is no time zone known here, such as Europe/Paris"
    assert sorted(problems_of(None, http={"host": "a b"})) == [
        'command line: http.host = "a b": must be a host name or an IP address, without port',
        f"environment: PREAU_BROKRE__HOST: is no setting; known are {variables}",
        'environment: PREAU_STORE__GROUP_MS = "soon": must be a whole number',
        f"preau.toml:10: log: is not known here; known are {', '.join(sections)}",
        "preau.toml:2: http.port = 99999: must be at most 65535",
        "preau.toml:3: http.hots: is not known here; did you mean host?",
        f'preau.toml:5: time.zone = "Europe/Trilport": {zone}',
        "preau.toml:7: ui.language = \"de\": must be one of 'fr' or 'en'",
        "preau.toml:9: data.dir = 3: must be a path in quotes",
    ]


@pytest.mark.parametrize("text", ["broker = 3\n", "data = 3\n", "[[http]]\n", "estate = []\n"])
def test_a_section_that_is_no_table_is_told(text):
    (problem,) = problems_of(written(text))

    assert "must be a table" in problem


def test_a_variable_that_is_no_json_where_a_section_is_expected_is_told(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("PREAU_BROKER", "here")

    (problem,) = problems_of()

    assert problem.startswith("environment: ")
    assert "PREAU_HTTP__PORT" in problem


def test_a_named_file_must_be_there():
    (problem,) = problems_of(Path("nowhere.toml"))

    assert problem.startswith("nowhere.toml: there is no such file")


SECRET = "hunter2-correct-horse"  # noqa: S105 - of nobody


@pytest.mark.parametrize(
    "text",
    [
        f'[broker]\nhost = "b"\nusername = "u"\npassword = "{SECRET}"\n',
        f'[broker]\npasswrod = "{SECRET}"\n',
        f'[broker]\npassword = ["{SECRET}"]\n',
    ],
)
def test_a_password_in_the_file_is_refused_and_never_shown(text):
    problems = problems_of(written(text))

    assert problems
    assert SECRET not in "".join(problems)


def test_a_password_of_the_environment_reaches_the_broker_but_no_text(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("PREAU_BROKER__USERNAME", "u")
    monkeypatch.setenv("PREAU_BROKER__PASSWORD", SECRET)

    settings = load_settings()

    assert settings.broker.address().password == SECRET
    assert SECRET not in f"{settings!r} {settings} {settings.broker.address()!r}"


def test_a_password_of_the_environment_is_not_shown_with_a_mistake(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("PREAU_BROKER__PASSWORD", SECRET)

    assert problems_of() == ["environment: PREAU_BROKER__PASSWORD: needs broker.username"]


def with_secret_file(content: bytes, mode: int) -> ConfigurationError | str | None:
    file = Path("secret")
    file.write_bytes(content)
    file.chmod(mode)
    broker = {"host": "b", "username": "u", "password_file": str(file)}
    try:
        return load_settings(None, {"broker": broker}).broker.address().password
    except ConfigurationError as error:
        return error


def test_a_password_file_is_read_if_only_its_owner_may():
    assert with_secret_file(f"{SECRET}\n".encode(), 0o600) == SECRET
    assert with_secret_file(SECRET.encode(), 0o400) == SECRET


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (SECRET.encode(), 0o644, "chmod 600"),
        (SECRET.encode(), 0o640, "chmod 600"),
        (b"", 0o600, "is empty"),
        (b"\n", 0o600, "is empty"),
        (b"\xff", 0o600, "not UTF-8"),
    ],
)
def test_a_password_file_that_can_not_be_trusted_is_refused(content, mode, told):
    refused = with_secret_file(content, mode)

    assert isinstance(refused, ConfigurationError)
    assert told in str(refused)
    assert SECRET not in str(refused)


def test_a_missing_password_file_is_told():
    broker = {"host": "b", "username": "u", "password_file": "nowhere"}

    with pytest.raises(ConfigurationError, match=r"broker\.password_file: 'nowhere' can't be read"):
        load_settings(None, {"broker": broker}).broker.address()


@pytest.mark.parametrize(
    ("broker", "told"),
    [
        ({"host": "b", "password_file": "s"}, "needs broker.username"),
        ({"tls_ca": "ca.pem"}, "the embedded broker has no TLS"),
        (
            {"host": "b", "username": "u", "password": "p", "password_file": "s"},
            "give broker.password in the environment or this, not both",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(broker, told):
    assert any(told in problem for problem in problems_of(None, broker=broker))


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        ("mqtt.ma-commune.fr:65535", ("mqtt.ma-commune.fr", 65535)),
    ],
)
def test_an_endpoint_is_host_and_port(text, endpoint):
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        "", "8080", ":8080", "localhost", "localhost:", "localhost:http", "localhost:-1",
        "localhost:65536", "localhost:٣", "::1:80", "[::1]", "[localhost]:80", "[::1:80",
        "http://localhost:80", "a b:80", "-a:80", "[]:80", "[:]:80",
    ],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused_with_a_reason(text):
    with pytest.raises(ConfigurationError):
        parse_endpoint(text)


@given(
    st.ip_addresses().map(str)
    | st.from_regex(r"([a-z0-9][a-z0-9-]{0,9}\.){0,3}[a-z]", fullmatch=True),
    st.integers(0, 65535),
)
def test_an_endpoint_reads_back_as_it_was_written(host, port):
    endpoint = Endpoint(host, port)

    assert parse_endpoint(str(endpoint)) == endpoint


@given(st.text(max_size=30))
def test_any_text_is_an_endpoint_or_refused(text):
    try:
        assert 0 <= parse_endpoint(text).port <= 65535
    except ConfigurationError as refused:
        error = refused
    else:
        return
    assert repr(text) in str(error)


def test_loopback_is_what_only_this_machine_reaches():
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.1.2", "ma-commune.fr"]))


def test_the_documentation_names_every_setting():
    text = Path(__file__).parents[2].joinpath("docs", "settings.md").read_text(encoding="utf-8")

    for section, values in load_settings():
        for key in getattr(type(values), "model_fields", {}):
            assert f"| `{section}.{key}` |" in text
    for key in ForwarderSettings.model_fields:
        assert f"`{key}`" in text


FORWARDER = '[[forwarder]]\nname = "town"\napi = "v1"\nurl = "http://127.0.0.1:8086"\n'


def test_paths_of_a_forwarder_are_relative_to_the_file():
    secret = written("s3cret\n", "etc/influx.secret")
    secret.chmod(0o600)
    text = FORWARDER + 'username = "preau"\npassword_file = "influx.secret"\n'
    (forwarder,) = load_settings(written(text, "etc/preau.toml")).forwarder
    assert forwarder.target().password == "s3cret"  # noqa: S105
    assert "s3cret" not in repr(forwarder.target())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (FORWARDER + FORWARDER, "'town' is the name of several"),
        (FORWARDER + 'token = "abcdef"\n', "use token_file"),
        (FORWARDER + 'bucket = "b"\n', "bucket is not for api = 'v1'"),
        (FORWARDER.replace("127", "user:abcdef@127"), "must hold no password"),
        (FORWARDER + 'username = "preau"\n', "give username and password_file"),
        (FORWARDER.replace("v1", "v3"), "forwarder[0].api"),
    ],
)
def test_a_mistake_in_a_forwarder_is_told_with_its_line_and_no_secret(text: str, told: str):
    problems = problems_of(written(text))
    assert any(told in problem and "preau.toml:" in problem for problem in problems), problems
    assert "abcdef" not in " ".join(problems)


def test_the_window_of_the_store_is_for_ever_unless_an_influxdb_has_everything():
    assert load_settings().keep_days == 0
    assert load_settings(written(FORWARDER)).keep_days == 400
    assert load_settings(written(FORWARDER + "[store]\nkeep_days = 0\n")).keep_days == 0


def test_a_gateway_takes_strangers_unless_it_serves_some_sites_only():
    assert load_settings().share.strangers
    assert not load_settings(written('[share]\nsites = ["ecole"]\n')).share.strangers
