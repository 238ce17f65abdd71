"""What a bench found: one row each, as a table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """`value` beside `reference` of the same run; `bar` is what is to be reached, of `judged`."""

    name: str
    value: float
    unit: str
    reference: float | None = None
    reference_name: str = ""
    bar: float | None = None
    at_most: bool = False
    """The bar is an upper limit."""
    of_ratio: bool = False
    """The bar is for the ratio, not for the value."""

    @property
    def ratio(self) -> float | None:
        return self.value / self.reference if self.reference else None

    @property
    def holds(self) -> bool | None:
        judged = self.ratio if self.of_ratio else self.value
        if self.bar is None or judged is None:
            return None
        return judged <= self.bar if self.at_most else judged >= self.bar


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    for one in figures:
        print(_row(one))


def as_json(figures: Sequence[Figure]) -> str:
    """The same for a machine."""
    return json.dumps([asdict(one) | {"ratio": one.ratio, "holds": one.holds} for one in figures])


def _row(one: Figure) -> str:
    row = f"{one.name:58} {one.value:12,.1f} {one.unit:9}"
    if one.ratio is not None:
        row += f"  {one.ratio:7.2f} × {one.reference_name} ({one.reference:,.0f})"
    if one.bar is not None:
        bound = "≤" if one.at_most else "≥"
        row += f"  bar {bound} {one.bar:g}{' ×' if one.of_ratio else ''}"
        row += ": reached" if one.holds else ": NOT REACHED"
    return row
