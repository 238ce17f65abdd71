"""What was filled in on the set-up page: decoded, checked, and saved on LittleFS2 over flash, cut
at each step.
"""

import gc
import json

from cut_flash import at_every_cut, image
from portal_check import check
from portal_decode import decode
from portal_form import save

PASSWORD = "0" * 32
CONFIG = {
    "wifi": [
        {"ssid": "mairie", "password": "mot de passe"},
        {"ssid": "école", "password": "secret"},
    ],
    "broker": {"host": "gateway", "port": 8883, "password": PASSWORD, "tls": True},
    "setup_code": "K7QD2M9X",
    "interval_s": 60,
}


def _configure():
    with open("config.json", "w") as file:
        file.write(json.dumps(CONFIG))


def _configured():
    with open("config.json") as file:
        return json.loads(file.read())


def _saved(**form):
    _configure()
    assert save(["K7QD2M9X", 0, 0], form)[0] == b"200 OK"
    return _configured()


def only_what_is_filled_in_is_replaced():
    assert _saved() == CONFIG
    assert _saved(ssid="", key="", host="", port="", code="x") == CONFIG
    assert _saved(ssid="école")["wifi"] == [CONFIG["wifi"][1], CONFIG["wifi"][0]]
    assert _saved(ssid="école", key="un autre")["wifi"][0] == {
        "ssid": "école",
        "password": "un autre",
    }
    assert _saved(ssid="neuf")["wifi"] == [{"ssid": "neuf", "password": None}] + CONFIG["wifi"]
    broker = _saved(host="other")["broker"]
    assert broker == {"host": "other", "port": 8883, "password": PASSWORD, "tls": True}
    assert _saved(port="1")["broker"]["port"] == 1


def a_cut_while_it_is_saved_leaves_the_old_settings_or_the_new_ones():
    form = {"ssid": "neuf", "key": "mot de passe", "host": "other", "port": "1"}
    _configure()
    save(["K7QD2M9X", 0, 0], form)
    new = _configured()
    assert new != CONFIG

    def work():
        status, _ = save(["K7QD2M9X", 0, 0], form)
        if status != b"200 OK":
            raise OSError

    at_every_cut(
        image(_configure),
        work,
        _configured,
        lambda found, ended: found in ([new] if ended else [CONFIG, new]),
    )


def a_form_is_decoded_or_refused():
    assert decode(b"ssid=%C3%A9cole+1&key=%26%3d&code=") == {
        "ssid": "école 1",
        "key": "&=",
        "code": "",
    }
    assert decode(b"") == {}
    for wrong in (
        b"a=%",
        b"a=%4",
        b"a=%+1",
        b"a=%-1",
        b"a=%0x",
        b"%zz=1",
        b"a=%ff",
        b"a=\xff",
        b"toolongname=1",
    ):
        try:
            decode(wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)
    many = b"&".join(b"%d=1" % number for number in range(9))
    try:
        decode(many)
    except ValueError:
        return
    raise AssertionError


def _is_right(typed, code="K7QD2M9X"):
    return check([code, 0, 0], {"code": typed}) is None


def a_code_is_read_as_it_is_typed():
    for typed in ("K7QD2M9X", "k7qd2m9x", "k7qd 2m9x", "K7QD-2M9X"):
        assert _is_right(typed) and _is_right(typed, "k7qd-2m9x")
    for typed in ("", "K7QD2M9", "K7QD2M9XX", "K7QD2M9Y", "é" * 8):
        assert not _is_right(typed)


def wrong_codes_are_counted_and_after_ten_the_right_one_is_refused_too():
    portal = ["K7QD2M9X", 0, 0]
    for _ in range(9):
        assert check(portal, {"code": "x"})[0] == b"403 Forbidden"
    assert check(portal, {"code": "K7QD2M9X"}) is None
    assert check(portal, {})[0] == b"403 Forbidden"
    assert check(portal, {"code": "K7QD2M9X"})[0] == b"403 Forbidden"


def what_is_typed_leaves_no_names_behind():
    """MicroPython never gives a name back: who may type must not be able to fill the heap."""
    codes = ["".join(chr(0x4E00 + 100 * turn + at) for at in range(100)) for turn in range(8)]
    portal = ["K7QD2M9X", 0, 0]
    check(portal, {"code": "x"})
    before = _taken()
    for code in codes:
        assert check(portal, decode(b"code=" + code.encode()))[0] == b"403 Forbidden"
    # As names these 800 characters would take 12 KiB and more.
    assert _taken() - before < 2048


def _taken():
    gc.collect()
    return gc.mem_alloc()
