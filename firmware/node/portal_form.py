"""What was filled in on the set-up page, and how it goes over `config.json`. Loaded for a request.

It must not know sockets, nor show what is configured.
"""

import json
import os

_CONFIG = "config.json"


def _decoded(text: str) -> str:
    """A value of application/x-www-form-urlencoded."""
    parts = text.replace("+", " ").encode().split(b"%")
    out = parts[0]
    for part in parts[1:]:
        out += bytes((int(part[:2], 16),)) + part[2:]
    return out.decode()


def decode(body: str) -> dict:
    found = {}
    for pair in body.split("&"):
        name, _, value = pair.partition("=")
        found[name] = _decoded(value).strip()
    return found


def _apply(config: dict, form: dict):
    """What is filled in goes over what is configured. Raises ValueError with what is wrong."""
    ssid, key, host = form.get("ssid", ""), form.get("key", ""), form.get("host", "")
    if len(ssid.encode()) > 32 or len(key) > 63 or (key and len(key) < 8) or len(host) > 253:
        raise ValueError("nom de 32 caractères, mot de passe de 8 à 63, adresse de 253 au plus")
    port = form.get("port", "")
    if port and (not port.isdigit() or not 0 < int(port) < 65_536):
        raise ValueError("port de 1 à 65535")
    if ssid:
        others = [known for known in config.get("wifi", []) if known["ssid"] != ssid]
        same = [known for known in config.get("wifi", []) if known["ssid"] == ssid]
        password = key or (same[0].get("password") if same else None)
        config["wifi"] = [{"ssid": ssid, "password": password}]
        config["wifi"].extend(others)
    brokers = config.get("brokers") or [config.get("broker", {})]
    if host:
        brokers[0]["host"] = host
    if port:
        brokers[0]["port"] = int(port)
    config["broker"] = brokers[0]


def save(form: dict):
    """Raises ValueError with what is wrong; then nothing is changed."""
    try:
        with open(_CONFIG) as file:
            config = json.loads(file.read())
    except (OSError, ValueError):
        config = {}
    _apply(config, form)
    with open(_CONFIG + ".new", "w") as file:
        file.write(json.dumps(config))
        file.flush()
    os.rename(_CONFIG + ".new", _CONFIG)


def is_same(a: str, b: str) -> bool:
    """Takes as long whatever differs. `a` is typed: its case, blanks and hyphens don't count."""
    a = a.upper().replace(" ", "").replace("-", "")
    differs = len(a) ^ len(b)
    for i in range(len(b)):
        differs |= ord(a[i % len(a)]) ^ ord(b[i]) if a else 1
    return not differs
