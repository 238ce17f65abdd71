"""Answers from the local store."""

from collections.abc import Iterator
from typing import Final

from ingest.queries.question import Answer, SeriesQuestion, Step, Value
from ingest.store.reader import Series, StoreReader

_PAGE: Final = 10_000


def answer(reader: StoreReader, question: SeriesQuestion) -> Answer:
    """What the store holds; empty for a series that it does not know."""
    for series in reader.series(question.node, question.quantity):
        if series.channel == question.channel:
            if question.step_ms is None:
                return list(_values(reader, series, question))
            steps = reader.averages(series, question.from_ms, question.to_ms, question.step_ms)
            return [Step(*step) for step in steps]
    return []


def _values(reader: StoreReader, series: Series, question: SeriesQuestion) -> Iterator[Value]:
    from_ms = question.from_ms
    while page := reader.points(series, from_ms, question.to_ms, _PAGE):
        for point in page:
            yield Value(point.measured_at_ms, point.value, point.quality)
        if len(page) < _PAGE:
            return
        from_ms = page[-1].measured_at_ms + 1
