import json
import os

from settings import Settings


def _refused(settings, desired):
    """It says so in presence, with the reason."""
    settings.error = None
    return settings.update(desired) and settings.error and settings.version == 0


def _damage(path, at):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[at] ^= 0x01
    with open(path, "wb") as file:
        file.write(data)


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
    assert settings.brokers == [{"host": "gateway", "password": "local"}]
    with open("settings.json") as file:
        assert json.loads(file.readline()) == {"version": 1}


def damaged_files_leave_the_defaults():
    for name in ("config.json", "settings.json"):
        with open(name, "w") as file:
            file.write('{"interval_s": 3')
    assert Settings().interval_s == 60


def a_saved_file_damaged_anywhere_gives_way_to_the_last_good_one_which_is_told():
    settings = Settings()
    settings.update({"version": 1, "interval_s": 300})
    settings.update({"version": 2, "interval_s": 600})
    assert settings.error is None
    with open("settings.json", "rb") as file:
        whole = file.read()
    for at in range(len(whole) - 1):
        _damage("settings.json", at)
        again = Settings()
        assert (again.version, again.interval_s) == (1, 300), at
        assert again.error.startswith("settings.json"), again.error
        with open("settings.json", "wb") as file:
            file.write(whole[:at])
        assert Settings().interval_s == 300, at
        with open("settings.json", "wb") as file:
            file.write(whole)
    assert Settings().error is None and Settings().interval_s == 600


def after_damage_newer_settings_are_taken_and_the_last_good_ones_stay_behind():
    settings = Settings()
    settings.update({"version": 1, "interval_s": 300})
    settings.update({"version": 2, "health_every": 7})
    _damage("settings.json", 3)
    settings = Settings()
    assert settings.update({"version": 3, "interval_s": 900}) and settings.error is None
    again = Settings()
    assert (again.version, again.interval_s) == (3, 900)
    _damage("settings.json", 3)
    assert Settings().version == 1


def power_cut_between_the_renames_leaves_the_last_settings():
    settings = Settings()
    settings.update({"version": 1, "interval_s": 300})
    os.rename("settings.json", "settings.old")
    assert Settings().interval_s == 300


def refused_settings_change_nothing_and_tell_the_reason_once():
    settings = Settings()
    settings.update({"version": 1, "interval_s": 300})
    assert settings.update({"version": 2, "interval_s": 0})
    assert settings.error == "interval_s 0 is not between 1 and 3600", settings.error
    assert not settings.update({"version": 2, "interval_s": 0}), "told already"
    assert (settings.version, settings.interval_s) == (1, 300)
    assert settings.update({"version": 3, "interval_s": 60}) and settings.error is None
