import json
import os

from settings import Settings


def _refused(settings, desired):
    try:
        settings.update(desired)
    except ValueError:
        return True
    return False


def newer_settings_apply_and_last():
    settings = Settings()
    assert settings.interval_s == 60 and settings.version == 0
    assert settings.update({"version": 3, "interval_s": 300, "colour": "blue"})
    assert settings.interval_s == 300
    again = Settings()
    assert (again.version, again.interval_s) == (3, 300)


def older_settings_change_nothing():
    settings = Settings()
    settings.update({"version": 3, "interval_s": 300})
    assert not settings.update({"version": 2, "interval_s": 600})
    assert not settings.update({"version": 3, "interval_s": 600})
    assert Settings().interval_s == 300


def what_is_not_said_stays():
    settings = Settings()
    settings.update({"version": 1, "interval_s": 300})
    settings.update({"version": 2, "health_every": 5})
    again = Settings()
    assert (again.interval_s, again.health_every) == (300, 5)


def nonsense_is_refused_whole():
    settings = Settings()
    for desired in (
        None,
        [],
        {"interval_s": 300},
        {"version": 0},
        {"version": 1.5},
        {"version": True},
        {"version": 4, "interval_s": 0},
        {"version": 4, "interval_s": 60.5},
        {"version": 4, "interval_s": "60"},
        {"version": 4, "interval_s": 86400},
    ):
        assert _refused(settings, desired), desired
    assert settings.version == 0 and "settings.json" not in os.listdir()


def secrets_are_never_taken_from_the_gateway():
    with open("config.json", "w") as file:
        json.dump({"broker": {"host": "gateway", "password": "local"}}, file)
    settings = Settings()
    settings.update({"version": 1, "password": "x", "broker": {"host": "evil"}, "wifi": []})
    assert (settings.host, settings.password) == ("gateway", "local")
    with open("settings.json") as file:
        assert json.load(file) == {"version": 1}


def damaged_files_leave_the_defaults():
    for name in ("config.json", "settings.json"):
        with open(name, "w") as file:
            file.write('{"interval_s": 3')
    assert Settings().interval_s == 60
