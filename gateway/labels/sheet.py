"""Labels and slips on sheets of A4, as SVG in millimetres.

Twenty-one a sheet, 63.5 × 38.1 mm: they fit the ready-made sheets of that size (such as Avery
L7160), and have marks to cut by on plain paper. It reads no files but its templates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import jinja2

from gateway.labels.code import code_of
from gateway.labels.lettering import fitted
from gateway.web.texts import Texts

T = TypeVar("T")

SHEET_MM: Final = (210.0, 297.0)
WIDTH_MM: Final = 63.5
HEIGHT_MM: Final = 38.1
COLUMNS: Final = 3
ROWS: Final = 7
A_SHEET: Final = COLUMNS * ROWS
_PITCH_MM: Final = 66.04
_LEFT_MM: Final = (SHEET_MM[0] - (COLUMNS - 1) * _PITCH_MM - WIDTH_MM) / 2
_TOP_MM: Final = (SHEET_MM[1] - ROWS * HEIGHT_MM) / 2
_TEXT_MM: Final = 31.0
_CODE_MM: Final = 25.0
# Size in millimetres and most lines, the largest first.
_ROOM: Final = ((5.4, 2), (4.6, 2), (4.0, 3), (3.4, 3), (2.9, 4))
_SITE: Final = ((2.9, 2), (2.6, 2), (2.3, 2))
_SMALL: Final = ((2.3, 1), (2.0, 1), (1.8, 1))
_PLACE: Final = ((2.8, 1), (2.5, 1), (2.2, 1))


@dataclass(frozen=True, slots=True)
class Label:
    """What a label says. Without `room` there is a line to write it on."""

    node: str
    address: str
    """Where the code leads."""
    town: str | None
    site: str | None
    room: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Slip:
    """What the slip with a node's set-up code says. It is a secret."""

    node: str
    code: str
    site: str | None
    room: str | None


def label_sheets(labels: Sequence[Label], texts: Texts) -> Iterator[str]:
    """The sheets, as SVG. Raises `ConfigurationError` where no code can be made."""
    for part in _sheets(labels):
        items = [
            {
                "label": label,
                "id": _grouped(label.node),
                "qr": code_of(label.address),
                "room": fitted(label.room or "", _TEXT_MM, _ROOM),
                "site": fitted(label.site or "", _TEXT_MM, _SITE),
                "model": fitted(label.model or "", _TEXT_MM, _SMALL),
                "maker": fitted(_maker(label, texts), _CODE_MM, _SMALL),
            }
            for label in part
        ]
        yield _rendered("label.svg", part, items=items, say=texts)


def slip_sheets(slips: Sequence[Slip], texts: Texts) -> Iterator[str]:
    """The sheets of slips, as SVG. They hold secrets."""
    for part in _sheets(slips):
        items = [
            {
                "id": _grouped(slip.node),
                # As it is typed: it is the password of the set-up network as well.
                "code": slip.code,
                "place": [
                    fitted(name, WIDTH_MM - 8, _PLACE) for name in (slip.site, slip.room) if name
                ],
            }
            for slip in part
        ]
        yield _rendered("slip.svg", part, items=items, say=texts)


def _maker(label: Label, texts: Texts) -> str:
    return " · ".join(filter(None, (texts("site.title"), label.town)))


def _grouped(node: str) -> str:
    """`3c71 bf4a 2b10`: easier to read aloud."""
    return " ".join(node[start : start + 4] for start in range(0, 12, 4))


def _sheets(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), A_SHEET):
        yield items[start : start + A_SHEET]


def _rendered(template: str, part: Sequence[object], **values: object) -> str:
    places = [
        (_LEFT_MM + column * _PITCH_MM, _TOP_MM + row * HEIGHT_MM)
        for row in range(ROWS)
        for column in range(COLUMNS)
    ]
    return (
        _templates()
        .get_template(template)
        .render(
            sheet=SHEET_MM,
            size=(WIDTH_MM, HEIGHT_MM),
            places=places[: len(part)],
            marks=list(_marks(places[: len(part)])),
            **values,
        )
    )


def _marks(places: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """The corners of all labels, each once."""
    corners = {
        (round(x + dx, 3), round(y + dy, 3))
        for x, y in places
        for dx in (0, WIDTH_MM)
        for dy in (0, HEIGHT_MM)
    }
    yield from sorted(corners)


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
