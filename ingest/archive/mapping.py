"""What an InfluxDB's points mean here: which measurement, tag and field is which node and quantity.

Préau's own measurements are known; another's are told in a TOML file. It reads no line protocol.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, get_args

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from ingest.archive.record import Record
from ingest.errors import PermanentError
from ingest.estate.fields import EstateModel, NodeId
from ingest.estate.problems import ProblemsError
from ingest.estate.source import read_source
from ingest.quantities import QUANTITIES
from ingest.queries.names import measurement_of
from ingest.readings import MAIN_CHANNEL, Quality, is_channel
from ingest.topics import is_node_id

Precision = Literal["ns", "us", "ms", "s"]
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)
_MS_BY_PRECISION: Final = {"ns": (1, 1_000_000), "us": (1, 1000), "ms": (1, 1), "s": (1000, 1)}
"""Milliseconds are times, multiplied by the first and divided by the second."""


class PointError(PermanentError):
    """A point, or one of its fields, can't be taken in; the words are for who wrote the mapping."""


class Point(NamedTuple):
    """One line of line protocol. The time is in the unit of its file; `None`: not given."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, float | str]
    time: int | None


def _in_catalogue(name: str) -> str:
    if name not in QUANTITIES:
        raise ValueError(f"is not in the catalogue: {', '.join(QUANTITIES)}")
    return name


def _channel(name: str) -> str:
    if not is_channel(name):
        raise ValueError("must be 1 to 16 of a-z, 0-9 and -")
    return name


_Text = Annotated[str, Field(min_length=1)]


class FieldMapping(EstateModel):
    """A field: what it is, and how its unit becomes ours (value × factor + offset)."""

    quantity: Annotated[str, AfterValidator(_in_catalogue)]
    channel: Annotated[str, AfterValidator(_channel)] | None = None
    factor: Annotated[float, Field(allow_inf_nan=False)] = 1
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0


class MeasurementMapping(EstateModel):
    """A measurement: how its points name their node, and which of its fields count."""

    name: _Text
    node_tag: _Text | None = None
    node: NodeId | None = None
    channel_tag: _Text | None = None
    nodes: dict[str, NodeId] = Field(default_factory=dict)
    fields: dict[str, FieldMapping] = Field(min_length=1)

    @field_validator("node")
    @classmethod
    def _one_way(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("node_tag") is not None:
            raise ValueError("give node_tag or node, not both")
        return value


class _File(EstateModel):
    measurements: tuple[MeasurementMapping, ...] = Field(
        alias="measurement", strict=False, min_length=1
    )


@dataclass(frozen=True)
class PointMapping:
    """All measurements that count. `own`: qualities stand beside the fields, as Préau writes it."""

    measurements: Mapping[str, MeasurementMapping]
    own: bool = False

    def ignored(self, point: Point) -> int:
        """How many of the point's fields do not count; a quality is no field of its own."""
        measurement = self.measurements.get(point.measurement)
        known = {} if measurement is None else measurement.fields
        return sum(
            name not in known and not (self.own and name.removesuffix("_quality") in known)
            for name in point.fields
        )

    def records(self, point: Point, precision: Precision) -> Iterator[Record | PointError]:
        """A record for each field that counts; of one that can't be taken in, why."""
        measurement = self.measurements.get(point.measurement)
        if measurement is None:
            return
        try:
            at_ms = _at_ms(point.time, precision)
            node = _node(measurement, point.tags)
            by_tag = _channel_of(measurement, point.tags)
        except PointError as error:
            yield error
            return
        for name, value in point.fields.items():
            found = measurement.fields.get(name)
            if found is None:
                continue
            try:
                number = _number(name, value) * found.factor + found.offset
                quality = self._quality(point, name)
            except PointError as error:
                yield error
                continue
            yield Record(node, found.quantity, at_ms, number, found.channel or by_tag, quality)

    def _quality(self, point: Point, field: str) -> int | None:
        value = point.fields.get(f"{field}_quality") if self.own else None
        if value is not None and value not in list(Quality):
            raise PointError(f"{field}_quality is {value!r}: must be 0, 1 or 2")
        return None if value is None else int(value)


def _own_mapping() -> PointMapping:
    fields: dict[str, dict[str, FieldMapping]] = {}
    for name in QUANTITIES:
        found = fields.setdefault(measurement_of(name), {})
        found[name] = FieldMapping(quantity=name)
    return PointMapping(
        {
            name: MeasurementMapping(
                name=name, node_tag="node", channel_tag="channel", fields=found
            )
            for name, found in fields.items()
        },
        own=True,
    )


OWN: Final = _own_mapping()
"""What Préau itself writes into InfluxDB."""


def load_mapping(file: Path) -> PointMapping:
    """Read a mapping. Raises `ProblemsError` with line, key and reason of all that is wrong."""
    source = read_source(file)
    try:
        read = _File.model_validate(source.data)
    except ValidationError as refused:
        raise ProblemsError(source.problems_of(refused, _File)) from refused
    measurements: dict[str, MeasurementMapping] = {}
    problems = []
    for index, one in enumerate(read.measurements):
        key = ("measurement", index)
        if one.node_tag is None and one.node is None:
            problems.append(source.problem(key, "needs node_tag, the tag that names the node"))
        if one.name in measurements:
            problems.append(source.problem((*key, "name"), "is there twice", one.name))
        measurements[one.name] = one
    if problems:
        raise ProblemsError(problems)
    return PointMapping(measurements)


def _at_ms(time: int | None, precision: Precision) -> int:
    if time is None:
        raise PointError("the point has no time")
    factor, divisor = _MS_BY_PRECISION[precision]
    return time * factor // divisor


def _node(measurement: MeasurementMapping, tags: Mapping[str, str]) -> str:
    if measurement.node is not None:
        return measurement.node
    tag = measurement.node_tag or ""
    if tag not in tags:
        raise PointError(f"the point has no tag {tag}, which names the node")
    name = tags[tag]
    node = measurement.nodes.get(name, name.replace(":", "").lower())
    if not is_node_id(node):
        raise PointError(
            f"{tag} is {name!r}: no node id; say which node it is, in the mapping under "
            f'[measurement.nodes]: {name!r} = "3c71bf4a2b10"'
        )
    return node


def _channel_of(measurement: MeasurementMapping, tags: Mapping[str, str]) -> str:
    channel = tags.get(measurement.channel_tag or "", MAIN_CHANNEL)
    if not is_channel(channel):
        raise PointError(
            f"{measurement.channel_tag} is {channel!r}: a channel is 1 to 16 of a-z, 0-9 and -; "
            "give the fields a channel in the mapping"
        )
    return channel


def _number(field: str, value: float | str) -> float:
    if isinstance(value, str):
        raise PointError(f"{field} is the text {value[:40]!r}: must be a number, true or false")
    number = float(value)
    if not math.isfinite(number):
        raise PointError(f"{field} is {value!r}: must be a finite number")
    return number
