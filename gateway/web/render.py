"""Templates filled in: the whole page around a piece, the piece alone, a message."""

from functools import cache
from pathlib import Path
from typing import Final

import jinja2
from aiohttp import web

from gateway.web.assets import ASSETS, CHART_LIBRARY
from gateway.web.context import CONTEXT
from gateway.web.formats import Formats
from gateway.web.speech import address_in, formats_of
from gateway.web.texts import LANGUAGES

_TEMPLATES: Final = Path(__file__).with_name("templates")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def render(template: str, **values: object) -> str:
    """One template as text."""
    return _environment().get_template(template).render(values)


def render_page(request: web.Request, template: str, formats: Formats, **values: object) -> str:
    """A whole page: `template` extends `base.html`."""
    context = request.app[CONTEXT]
    return render(
        template,
        say=formats.texts,
        formats=formats,
        language=formats.texts.language,
        languages=[(code, address_in(request, code)) for code in LANGUAGES],
        town_name=context.estate().name,
        asset=request.app[ASSETS].url,
        chart_library=CHART_LIBRARY,
        **values,
    )


def render_message(request: web.Request, status: int, heading: str, detail: str) -> web.Response:
    """A page that only says something, such as why there is no other."""
    formats = formats_of(request)
    page = render_page(
        request,
        "message.html",
        formats,
        heading=formats.texts(f"error.{heading}"),
        detail=detail,
        has_way_back=status != 403,
    )
    return web.Response(
        status=status, text=page, content_type="text/html", headers={"Cache-Control": "no-store"}
    )
