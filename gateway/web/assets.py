"""Static files, ours and the chart library's: compressed once, named by content, cached for a year.

Plotly's script comes from the installed `plotly` package, which is located but not imported.
"""

import asyncio
import gzip
import hashlib
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from aiohttp import web

_STATIC: Final = Path(__file__).with_name("static")
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOREVER: Final = "public, max-age=31536000, immutable"
CHART_LIBRARY: Final = "plotly.min.js"


@dataclass(slots=True)
class Asset:
    """One file; `packed` is its gzip form, made when it is first asked for."""

    path: Path
    version: str
    packed: bytes | None = None


class Assets:
    """Every static file by name. Addresses carry the version, so that a new one is fetched."""

    def __init__(self) -> None:
        self._assets = {
            path.name: Asset(path, hashlib.sha256(path.read_bytes()).hexdigest()[:12])
            for path in sorted(_STATIC.iterdir())
            if path.suffix in _TYPES
        }
        self._assets[CHART_LIBRARY] = Asset(chart_library(), metadata.version("plotly"))
        self._packing = asyncio.Lock()

    def url(self, name: str) -> str:
        """The address of a file. Raises `KeyError`."""
        return f"/static/{self._assets[name].version}/{name}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """`GET /static/{version}/{name}`"""
        asset = self._assets.get(request.match_info["name"])
        if asset is None or asset.version != request.match_info["version"]:
            raise web.HTTPNotFound
        headers = {
            "Content-Type": _TYPES[asset.path.suffix],
            "Cache-Control": _FOREVER,
            "Vary": "Accept-Encoding",
        }
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return web.FileResponse(asset.path, headers=headers)
        async with self._packing:
            if asset.packed is None:
                asset.packed = await asyncio.to_thread(_pack, asset.path)
        return web.Response(body=asset.packed, headers=headers | {"Content-Encoding": "gzip"})


def _pack(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6, mtime=0)


def chart_library() -> Path:
    """The script of the chart library. Raises `ModuleNotFoundError` where it is not installed."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed: pip install plotly")
    return Path(spec.origin).with_name("package_data") / CHART_LIBRARY


ASSETS: Final = web.AppKey("assets", Assets)
