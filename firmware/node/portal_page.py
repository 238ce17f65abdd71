"""The set-up page. Loaded for each answer. It knows nothing of what is configured."""

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import StreamWriter

_HEAD = const(
    b"\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"Connection: close\r\n\r\n"
    b'<!doctype html><html lang="fr"><meta name="viewport" content="width=device-width">'
    b"<title>Pr&eacute;au</title><h1>Pr&eacute;au : mise en service</h1><p>"
)
_FORM = const(b'</p><form method="post">')
_LABEL = const(b"<p><label>")
_INPUT = const(b'<br><input autocomplete="off" name=')
_END = const(b"</label></p>")
_BUTTON = const(b"<button>Enregistrer</button></form></html>")
_FIELDS = (
    (b"Code de mise en service (sur la fiche)", b"code type=password>"),
    (b"R&eacute;seau Wi-Fi", b"ssid>"),
    (b"Mot de passe du Wi-Fi", b"key type=password>"),
    (b"Adresse du serveur", b"host>"),
    (b"Port (vide : inchang&eacute;)", b"port>"),
)


def encode(writer: StreamWriter, status: bytes, text: str) -> None:
    """Written piece by piece: a heap that is in use has no room for the whole page."""
    for piece in (b"HTTP/1.0 ", status, _HEAD, text.encode(), _FORM):
        writer.write(piece)
    for label, field in _FIELDS:
        for piece in (_LABEL, label, _INPUT, field, _END):
            writer.write(piece)
    writer.write(_BUTTON)
