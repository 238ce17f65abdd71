"""Which language a request is answered in, and the choice kept in a cookie."""

from typing import Final

from aiohttp import web

from gateway.web.context import CONTEXT
from gateway.web.formats import Formats
from gateway.web.texts import LANGUAGES, language_of, texts_in

_COOKIE: Final = "preau_lang"
_YEAR_S: Final = 365 * 86_400


def formats_of(request: web.Request) -> Formats:
    """Texts and formats for who asks."""
    context = request.app[CONTEXT]
    language = language_of(
        request.query.get("lang"),
        request.cookies.get(_COOKIE),
        request.headers.get("Accept-Language", ""),
        context.language,
    )
    return Formats(texts_in(language), context.zone)


def keep_choice(request: web.Request, response: web.StreamResponse) -> None:
    """Remember a language that was chosen in the address."""
    asked = request.query.get("lang")
    if asked in LANGUAGES and asked is not None:
        response.set_cookie(_COOKIE, asked, max_age=_YEAR_S, samesite="Lax", httponly=True)


def address_in(request: web.Request, language: str) -> str:
    """The same page in another language."""
    return str(request.rel_url.update_query(lang=language))
