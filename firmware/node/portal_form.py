"""Saves what was filled in on the set-up page. Loaded for a form that was checked, and dropped.

It must not know sockets, nor show what is configured. Only what is filled in replaces anything.
"""

import json
import os

from diary import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import Json, SetupState

_CONFIG = "config.json"


def _apply(config: Json, form: dict[str, str]) -> None:
    ssid, key, host = form.get("ssid"), form.get("key"), form.get("host")
    if ssid:
        others = config.get("wifi", [])
        known: Json = {"ssid": ssid, "password": None}
        for other in others:
            if other["ssid"] == ssid:
                known = other
                others.remove(other)
                break
        if key:
            known["password"] = key
        others.insert(0, known)
        config["wifi"] = others
    brokers = config.get("brokers") or [config.setdefault("broker", {})]
    if host:
        brokers[0]["host"] = host
    if form.get("port"):
        brokers[0]["port"] = int(form["port"])


def save(state: SetupState, form: dict[str, str]) -> tuple[bytes, str]:
    """(status, sentence); `state`, that of `portal`, is told that it is done. After a cut it is the
    old file or the new one; where anything fails it is the old one.
    """
    try:
        with open(_CONFIG) as file:
            config = json.loads(file.read())
        _apply(config, form)
        with open(_CONFIG + ".new", "w") as file:
            file.write(json.dumps(config))
            file.flush()
        os.rename(_CONFIG + ".new", _CONFIG)
    except (OSError, ValueError) as error:
        # What a damaged one still holds, the broker's password above all, is not written over.
        note("set-up: config.json:", repr(error))
        return b"500 Error", "Rien n'est enregistré : la mémoire de l'appareil est en défaut."
    state[2] = 1
    return b"200 OK", "Enregistré. L'appareil redémarre."
