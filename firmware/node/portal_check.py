"""Whether what was filled in on the set-up page may be taken. Loaded for a form that was sent, and
dropped before it is saved. It knows nothing of what is configured but the code.
"""

from diary import note
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from node_types import SetupState

_WRONG_MAX = const(10)
_SSID_MAX = const(32)
_HOST_MAX = const(253)
# Of WPA2 (IEEE 802.11i, annex H.4), in bytes. The chip cuts off what is longer.
_KEY_MIN = const(8)
_KEY_MAX = const(63)


def check(state: SetupState, form: dict[str, str]) -> tuple[bytes, str] | None:
    """(status, sentence) of what is wrong, or None. `state` is that of
    `portal`: the wrong codes are counted there.
    """
    if state[1] >= _WRONG_MAX or not _is_same(form.get("code", ""), state[0]):
        state[1] += 1
        if state[1] >= _WRONG_MAX:
            state[2] = state[2] or 2
            note("set-up: {} wrong codes".format(state[1]))
        return b"403 Forbidden", "Code incorrect. Il est sur la fiche de l'appareil."
    wrong = _wrong(form)
    return (b"400 Bad Request", "Rien n'est enregistré : " + wrong) if wrong else None


def _wrong(form: dict[str, str]) -> str | None:
    ssid, key, host = form.get("ssid", ""), form.get("key", ""), form.get("host", "")
    port = form.get("port", "")
    for value in (ssid, key, host):
        # Bytes: of a text MicroPython would keep each new character as a name for good.
        for byte in value.encode():
            if byte < 32:
                return "caractère interdit."
    size = len(key.encode())
    if len(ssid.encode()) > _SSID_MAX or (size and not _KEY_MIN <= size <= _KEY_MAX):
        return "nom de réseau de 32 caractères au plus, mot de passe de 8 à 63."
    if key and not ssid:
        return "mot de passe sans nom de réseau."
    if len(host) > _HOST_MAX or " " in host or "/" in host or "@" in host:
        return "l'adresse du serveur est un nom ou une adresse IP, rien d'autre."
    if port and (len(port) > 5 or not port.isdigit() or not 0 < int(port) < 65_536):
        return "port de 1 à 65535."
    return None


def _is_same(a: str, b: str) -> bool:
    """Takes as long whatever differs. `a` is typed: its case, blanks and hyphens don't count."""
    typed, code = _plain(a), _plain(b)
    differs = len(typed) ^ len(code)
    for i in range(len(code)):
        differs |= typed[i % len(typed)] ^ code[i] if typed else 1
    return not differs


def _plain(code: str) -> bytes:
    return code.upper().replace(" ", "").replace("-", "").encode()
