"""A QR code as the path of an SVG. What the address in it leads to it must not know."""

from dataclasses import dataclass

from ingest.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Code:
    """A code of `modules` squares a side, its quiet zone of four included, and the path of its dark
    squares, in units of one.
    """

    modules: int
    path: str


def code_of(address: str) -> Code:
    """The QR code of an address, readable with 15 % of it damaged (level M).

    Raises `ConfigurationError` where the library for it is not installed, or the address too long.
    """
    try:
        import segno  # noqa: PLC0415 - of an extra: only who prints labels has it
    except ImportError as error:
        raise ConfigurationError(
            "labels need segno, of the extra `flash`: pip install 'preau[flash]'"
        ) from error
    try:
        made = segno.make_qr(address, error="m", boost_error=False)
    except segno.DataOverflowError as error:
        raise ConfigurationError(f"the address {address[:60]!r}… is too long for a code") from error
    rows = [list(row) for row in made.matrix_iter(border=4)]
    path = "".join(_runs(y, row) for y, row in enumerate(rows))
    return Code(len(rows), path)


def _runs(y: int, row: list[int]) -> str:
    """The dark squares of a row, those side by side as one rectangle: no seams in print."""
    parts, start = [], None
    for x, module in enumerate([*row, 0]):
        if module and start is None:
            start = x
        elif not module and start is not None:
            parts.append(f"M{start} {y}h{x - start}v1H{start}z")
            start = None
    return "".join(parts)
