"""A sheet as PNG, 300 dots an inch, with fonts that are named: nothing depends on what is found.

resvg leaves text out without a word where a font is missing, so a font is looked for first.
"""

import struct
import zlib
from pathlib import Path
from typing import Final

from ingest.errors import ConfigurationError

DPI: Final = 300
_FOLDERS: Final = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("~/.local/share/fonts"),
    Path("~/.fonts"),
)
# Regular and bold of each family that the sheets name, in the order in which they name them.
_FONTS: Final = (
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf"),
    ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf"),
)
_IHDR_END: Final = 33


def png_of(svg: str) -> bytes:
    """The picture of an SVG whose size is given in millimetres; it prints in that size.

    Raises `ConfigurationError` where the library or a font is missing.
    """
    try:
        import resvg_py  # noqa: PLC0415 - of an extra: only who prints labels has it
    except ImportError as error:
        raise ConfigurationError(
            "PNG needs resvg-py, of the extra `flash`: pip install 'preau[flash]', or write .svg"
        ) from error
    picture = resvg_py.svg_to_bytes(
        svg_string=svg,
        dpi=DPI,
        skip_system_fonts=True,
        font_files=[str(file) for file in _fonts()],
    )
    return _with_resolution(bytes(picture))


def _fonts() -> list[Path]:
    for names in _FONTS:
        found = [_font(name) for name in names]
        files = [file for file in found if file is not None]
        if len(files) == len(names):
            return files
    raise ConfigurationError(
        "PNG needs a font that is not installed: sudo apt install fonts-dejavu-core, or write .svg"
    )


def _font(name: str) -> Path | None:
    found = (file for folder in _FOLDERS for file in folder.expanduser().rglob(name))
    return next(found, None)


def _with_resolution(picture: bytes) -> bytes:
    """The picture with a `pHYs` chunk (PNG 3rd edition, 11.3.4.3), which has to precede `IDAT`."""
    dots_per_m = round(DPI / 0.0254)
    chunk = b"pHYs" + struct.pack(">IIB", dots_per_m, dots_per_m, 1)
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return picture[:_IHDR_END] + whole + picture[_IHDR_END:]
