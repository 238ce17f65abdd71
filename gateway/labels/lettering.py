"""Text that has to fit: which size, on which lines. Widths are estimated, on the wide side.

It knows neither labels nor SVG.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_NARROW: Final = frozenset("fijlrtI.,:;!'’|()[]-/ ")
_BEFORE_BREAKS: Final = re.compile("[^-]*-+|[^-]+")
_WIDE: Final = frozenset("mwMW@%—…")
# Of the em, for DejaVu Sans Bold, the widest of the fonts that are used.
_NARROW_EM: Final = 0.44
_WIDE_EM: Final = 1.1
_CAPITAL_EM: Final = 0.8
_OTHER_EM: Final = 0.7


class Lettering(NamedTuple):
    """Lines of one size, in millimetres."""

    size_mm: float
    lines: tuple[str, ...]


def width_em(text: str) -> float:
    """The estimated width of a text in units of its size."""
    return sum(map(_character_em, text))


def _character_em(character: str) -> float:
    if character in _NARROW:
        return _NARROW_EM
    if character in _WIDE:
        return _WIDE_EM
    return _CAPITAL_EM if character.isupper() else _OTHER_EM


def fitted(text: str, width_mm: float, choices: Sequence[tuple[float, int]]) -> Lettering:
    """`text` in the first of `choices` (size in millimetres, most lines) that holds it in lines of
    `width_mm`; in the last, shortened with `…`, where none does.
    """
    for size_mm, most_lines in choices:
        lines = _wrapped(text, width_mm / size_mm)
        if len(lines) <= most_lines and all(width_em(line) * size_mm <= width_mm for line in lines):
            return Lettering(size_mm, tuple(lines))
    size_mm, most_lines = choices[-1]
    lines = _wrapped(text, width_mm / size_mm)
    kept = [*lines[: most_lines - 1], _joined(lines[most_lines - 1 :])]
    return Lettering(size_mm, tuple(_shortened(line, width_mm / size_mm) for line in kept))


def _wrapped(text: str, width: float) -> list[str]:
    """Lines broken at blanks, and behind hyphens."""
    lines: list[str] = []
    for word in text.split():
        for number, part in enumerate(_BEFORE_BREAKS.findall(word)):
            gap = "" if number else " "
            if lines and width_em(f"{lines[-1]}{gap}{part}") <= width:
                lines[-1] += f"{gap}{part}"
            else:
                lines.append(part)
    return lines or [""]


def _joined(lines: Sequence[str]) -> str:
    return "".join(line if line.endswith("-") else f"{line} " for line in lines).rstrip()


def _shortened(line: str, width: float) -> str:
    if width_em(line) <= width:
        return line
    while line and width_em(f"{line}…") > width:
        line = line[:-1]
    return f"{line.rstrip()}…"
