"""The same questions in InfluxQL, the one language of InfluxDB 1.x, 2.x and 3, and its answers.

Pure: text in, text out. Rooms stand in tags, so a node that was moved has several series there;
they are never asked for apart, and its values come as one.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.queries.names import measurement_of, quality_of
from ingest.queries.question import Answer, SeriesQuestion, Step, Value
from ingest.readings import Quality

Rows = Sequence[Mapping[str, Any]]
"""What `/query` answers with under `series`, times in milliseconds (`epoch=ms`)."""


def quoted(value: str) -> str:
    """A string of InfluxQL, whatever it holds."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def identifier(name: str) -> str:
    """The name of a measurement, field, tag or database, whatever it holds."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def period(from_ms: int, to_ms: int) -> str:
    """A condition on the time: `from_ms` included, `to_ms` not."""
    return f"time >= {from_ms}ms AND time < {to_ms}ms"


def text_of(question: SeriesQuestion) -> str:
    """The statement that asks `question`."""
    field, quality = identifier(question.quantity), identifier(quality_of(question.quantity))
    where = (
        f"FROM {identifier(measurement_of(question.quantity))}"
        f" WHERE {identifier('node')} = {quoted(question.node)}"
        f" AND {identifier('channel')} = {quoted(question.channel)}"
        f" AND {period(question.from_ms, question.to_ms)}"
    )
    if question.step_ms is None:
        return f"SELECT {field}, {quality} {where}"
    return (
        f"SELECT mean({field}) AS mean, min({field}) AS minimum, max({field}) AS maximum,"
        f" count({field}) AS samples {where} AND {quality} < {int(Quality.BAD)}"
        f" GROUP BY time({question.step_ms}ms) fill(none)"
    )


def answer_of(question: SeriesQuestion, series: Rows) -> Answer:
    """What the server's rows say."""
    rows = [row for one in series for row in one["values"]]
    if question.step_ms is None:
        values = (Value(at, float(value), quality) for at, value, quality in rows if _is(value))
        return sorted(values)
    return sorted(Step(*row) for row in rows if row[4])


def table_of(series: Rows) -> Iterator[tuple[Mapping[str, str], Mapping[str, Any]]]:
    """(tags, row by column) of every row."""
    for one in series:
        for row in one.get("values", ()):
            yield one.get("tags", {}), dict(zip(one["columns"], row, strict=True))


def _is(value: object) -> bool:
    return value is not None
