"""The set-up network: for ten minutes the node is an access point with one small page, which takes
Wi-Fi and broker. Loaded when nothing is configured, or after a long press, and dropped.

Both the network's password and the page ask for the code that came with the node on a slip. The
page never shows what is configured, and replaces only what is filled in.
"""

import asyncio

import machine
import network
import seldom
from diary import note
from micropython import const

_OPEN_MS = const(600_000)
_REQUEST_MAX = const(2048)
_TIMEOUT_MS = const(10_000)
_WRONG_MAX = const(10)
_CODE_MIN = const(8)

_HEAD = "HTTP/1.0 {}\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n"
_PAGE = (
    '<!doctype html><html lang="fr"><meta name="viewport" content="width=device-width">'
    "<title>Préau</title><h1>Préau : mise en service</h1><p>{}</p>"
    '<form method="post">'
)
_END = const(b"<button>Enregistrer</button></form></html>")
_FIELD = '<p><label>{}<br><input name="{}" type="{}" autocomplete="off"></label></p>'
_FIELDS = (
    ("Code de mise en service (sur la fiche)", "code", "password"),
    ("Réseau Wi-Fi", "ssid", "text"),
    ("Mot de passe du Wi-Fi", "key", "password"),
    ("Adresse du serveur", "host", "text"),
    ("Port (vide : inchangé)", "port", "text"),
)


class _Portal:
    def __init__(self, code: str):
        self._code = code
        self._wrong = 0
        self.done = asyncio.Event()

    async def serve(self, reader, writer):
        try:
            answer: tuple = await asyncio.wait_for_ms(self._answer(reader), _TIMEOUT_MS)
            status, text = answer
            # Piece by piece: a heap that is in use has no room for the whole page.
            writer.write(_HEAD.format(status).encode())
            writer.write(_PAGE.format(text).encode())
            for field in _FIELDS:
                writer.write(_FIELD.format(*field).encode())
            writer.write(_END)
            await asyncio.wait_for_ms(writer.drain(), _TIMEOUT_MS)
        except (OSError, EOFError, ValueError, MemoryError, asyncio.TimeoutError) as error:
            note("set-up: request", repr(error))
        finally:
            writer.close()
            await writer.wait_closed()

    async def _answer(self, reader):
        """(status, sentence) for one request."""
        method = (await _line(reader))[:5]
        size = read = 0
        while True:
            line = await _line(reader)
            read += len(line)
            if line in (b"\r\n", b"\n", b""):
                break
            if line.lower().startswith(b"content-length:"):
                size = int(line[15:])
            if read > _REQUEST_MAX:
                return "400 Bad Request", "Requête trop longue."
        if method != b"POST ":
            return "200 OK", "Seuls les champs remplis sont modifiés."
        if not 0 <= size <= _REQUEST_MAX:
            return "400 Bad Request", "Requête trop longue."
        body = (await reader.readexactly(size)).decode()
        form = seldom.run("portal_form", "decode", body)
        if self._wrong >= _WRONG_MAX or not seldom.run(
            "portal_form", "is_same", form.get("code", ""), self._code
        ):
            self._wrong += 1
            return "403 Forbidden", "Code incorrect. Il est sur la fiche de l'appareil."
        try:
            seldom.run("portal_form", "save", form)
        except ValueError as error:
            return "400 Bad Request", "Rien n'est enregistré : {}.".format(error)
        self.done.set()
        return "200 OK", "Enregistré. L'appareil redémarre."


async def _line(reader) -> bytes:
    """`readline`, which would take in all that comes, with an end."""
    line = bytearray()
    while line[-1:] != b"\n":
        byte = await reader.read(1)
        line.extend(byte)
        if not byte:
            break
        if len(line) > _REQUEST_MAX:
            raise ValueError("a line of over {} bytes".format(_REQUEST_MAX))
    return bytes(line)


async def open_for_a_while(app):
    """Returns after ten minutes; restarts the node when something was set."""
    code = app.settings.setup_code
    if not isinstance(code, str) or len(code) < _CODE_MIN:
        note("set-up: no code of {} characters in config.json, no network".format(_CODE_MIN))
        return
    point = network.WLAN(network.AP_IF)
    point.config(ssid="preau-" + app.node[-6:], key=code, security=network.AUTH_WPA2_PSK)
    point.active(True)
    portal = _Portal(code)
    server = await asyncio.start_server(portal.serve, "0.0.0.0", app.settings.setup_port)
    note("set-up: network open for ten minutes")
    try:
        await asyncio.wait_for_ms(portal.done.wait(), _OPEN_MS)
        await asyncio.sleep_ms(1000)  # The answer is on its way.
        note("set-up: done, restarting")
        machine.reset()
    except asyncio.TimeoutError:
        note("set-up: network closed")
    finally:
        server.close()
        await server.wait_closed()
        point.active(False)
