"""The node's password while it is being changed: LittleFS2 over flash, cut at each step."""

import json
import os

from cut_flash import at_every_cut, image
from passwords import known, settle, take

OLD = "0" * 32
NEW = "1" * 32
NEWER = "2" * 32


class _Link:
    def __init__(self, password, **broker):
        self.password = password
        self.broker = {"tls": True}
        self.broker.update(broker)


class _Settings:
    def __init__(self):
        self.brokers = [{"host": "a", "password": OLD}, {"host": "b", "password": "another"}]


def _configure(password=OLD):
    with open("config.json", "w") as file:
        file.write(json.dumps({"broker": {"password": password}, "brokers": _Settings().brokers}))


def _configured():
    with open("config.json") as file:
        return json.loads(file.read())["broker"]["password"]


def _refused(link, password):
    try:
        take(link, password)
    except ValueError as error:
        return len(str(password)) < 8 or password not in str(error)
    return False


def the_new_one_is_kept_beside_the_old_and_becomes_the_only_one():
    _configure()
    assert known(OLD) == [OLD]
    take(_Link(OLD), NEW)
    assert known(OLD) == [NEW, OLD]
    settings = _Settings()
    settle(settings)
    assert known(_configured()) == [NEW]
    assert settings.brokers[0]["password"] == NEW
    # The account at another broker is another one.
    assert settings.brokers[1] == _Settings().brokers[1]
    with open("config.json") as file:
        assert OLD not in file.read()
    assert "passwords.json" not in os.listdir()


def one_that_is_said_again_changes_nothing():
    _configure()
    assert take(_Link(OLD), NEW) == {"state": "kept"}
    assert take(_Link(OLD), NEW) == {"state": "kept"}
    assert known(OLD) == [NEW, OLD]
    # The broker has changed, and no receipt has come yet.
    assert take(_Link(NEW), NEW) == {"state": "in_use"}
    assert known(OLD) == [NEW, OLD]


def a_second_change_before_the_first_has_ended_forgets_neither():
    _configure()
    take(_Link(OLD), NEW)
    take(_Link(OLD), NEWER)
    assert known(OLD) == [NEWER, OLD, NEW]


def a_password_that_was_configured_since_outranks_the_change():
    _configure()
    take(_Link(OLD), NEW)
    assert known(NEWER) == [NEWER]


def a_password_is_taken_over_tls_only_and_never_told():
    assert _refused(_Link(OLD, tls=False), NEW)
    for password in (None, 5, "", "secret", "x" * 32, NEW + "0", NEW.upper().replace("1", "A")):
        assert _refused(_Link(OLD), password), password
    assert known(OLD) == [OLD]


def a_damaged_file_leaves_what_is_configured():
    _configure()
    take(_Link(OLD), NEW)
    with open("passwords.json") as file:
        text = file.read()
    for damaged in ("", text[:-9], text.replace("1", "3", 1), "null\n"):
        with open("passwords.json", "w") as file:
            file.write(damaged)
        assert known(OLD) == [OLD], damaged


def _held():
    return known(_configured())


def a_cut_while_the_new_one_is_stored_leaves_the_old_one_and_none_that_was_promised_is_lost():
    at_every_cut(
        image(_configure),
        lambda: take(_Link(OLD), NEW),
        _held,
        # The broker changes only once the reply has come, and that comes once it has ended.
        lambda found, ended: OLD in found and (NEW in found or not ended),
    )


def _begun():
    _configure()
    take(_Link(OLD), NEW)


def a_cut_while_the_old_one_is_dropped_never_drops_the_new():
    # At this point the broker knows the new one alone.
    at_every_cut(
        image(_begun),
        lambda: settle(_Settings()),
        _held,
        lambda found, ended: NEW in found and (not ended or found == [NEW]),
    )


def a_cut_while_a_second_change_is_stored_loses_none_of_the_first():
    at_every_cut(
        image(_begun),
        lambda: take(_Link(OLD), NEWER),
        _held,
        lambda found, ended: OLD in found and NEW in found and (NEWER in found or not ended),
    )
