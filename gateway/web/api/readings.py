"""API v1: readings of a node or of a room, raw or averaged, in pages.

A page goes through the spells of the asked series (a room's: while a node was in it) in a fixed
order and stops after `limit` entries; the cursor names the spell and the time where the next page
goes on. So a page costs what it shows, however much is asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aiohttp import web

from gateway.web.api.answers import AverageAnswer, ReadingAnswer, ReadingsAnswer, SeriesAnswer
from gateway.web.api.names import QUALITIES, TIME_SOURCES, unit_of
from gateway.web.api.parameters import Parameters
from gateway.web.context import CONTEXT, WebContext
from gateway.web.history import spells
from gateway.web.problem import bad_request, json_response, not_found
from gateway.web.timeparse import iso_instant
from ingest.estate.model import Stay
from ingest.senml.decode import EARLIEST_MS
from ingest.store.reader import Average, Point, Series, StoreReader

_DAY_MS: Final = 86_400_000
_MOST: Final = 10_000


# One query of averages goes through that much at most, and one page through so many of them.
_AVERAGED_AT_ONCE_MS: Final = (7 * _DAY_MS, 186 * _DAY_MS)
_QUERIES_A_PAGE: Final = 40


class _Cursor(NamedTuple):
    """Where a page begins: the spell's key, and the time within it."""

    quantity: str
    node: str
    channel: str
    since_ms: int
    from_ms: int


class _Spell(NamedTuple):
    """One series over the time in which it counts. Its order is the order of the answer."""

    quantity: str
    node: str
    channel: str
    since_ms: int
    until_ms: int
    series: Series


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked for; `stays` is what of it lies in which time."""

    room: str | None
    stays: Sequence[Stay]
    quantities: Sequence[str]
    channel: str | None
    from_ms: int
    to_ms: int
    step_ms: int | None
    limit: int
    cursor: _Cursor | None


@dataclass(slots=True)
class _Page:
    """Entries found so far, by series, and where the next page begins."""

    left: int
    queries: int = _QUERIES_A_PAGE
    found: dict[Series, list[Point | Average]] = field(default_factory=dict)
    next: _Cursor | None = None


async def readings(request: web.Request) -> web.Response:
    """`GET /api/v1/readings`"""
    parameters = Parameters(
        request,
        ("node", "room", "quantity", "channel", "from", "to", "step", "limit", "cursor"),
    )
    context = request.app[CONTEXT]
    wanted = _wanted(parameters, context)
    page = await context.readers.run(lambda reader: _read(reader, wanted))
    fixed = {"from": iso_instant(wanted.from_ms), "to": iso_instant(wanted.to_ms)}
    return json_response(
        ReadingsAnswer(
            start=fixed["from"],
            to=fixed["to"],
            step_s=None if wanted.step_ms is None else wanted.step_ms // 1000,
            series=[_series(wanted, series, found) for series, found in page.found.items()],
            next=None if page.next is None else parameters.next_page(page.next, **fixed),
        )
    )


def _wanted(parameters: Parameters, context: WebContext) -> _Wanted:
    node, room = parameters.node(), parameters.text("room")
    if (node is None) == (room is None):
        raise bad_request("give either node or room, such as room=ecole/salle-1")
    now_ms = context.clock_ms()
    # What was measured in this very millisecond is in: `to` itself is excluded.
    to_ms = parameters.instant("to", now_ms + 1)
    from_ms = parameters.instant("from", max(0, to_ms - _DAY_MS))
    if from_ms >= to_ms:
        raise bad_request("from must be earlier than to")
    return _Wanted(
        room=room,
        stays=_stays(node, room, context),
        quantities=parameters.quantities(),
        channel=parameters.text("channel"),
        from_ms=from_ms,
        to_ms=to_ms,
        step_ms=parameters.step_ms(),
        limit=parameters.whole("limit", 1000, 1, _MOST),
        cursor=parameters.cursor(_Cursor),
    )


def _stays(node: str | None, room: str | None, context: WebContext) -> Sequence[Stay]:
    estate = context.estate()
    if room is not None:
        if estate.room(room) is None:
            raise not_found(f"room {room[:80]!r}: the estate has none of that name (site/room)")
        return estate.placements_of_room(room)
    known = node is not None and (
        estate.node(node) is not None
        or context.nodes.get(node) is not None
        or bool(context.latest.of_node(node))
    )
    if node is None or not known:
        raise not_found(f"node {node!r} is neither declared nor has it ever been heard")
    return (Stay(node, "", EARLIEST_MS, None),)


def _read(reader: StoreReader, wanted: _Wanted) -> _Page:
    page = _Page(wanted.limit)
    for spell in _spells(reader, wanted):
        from_ms = spell.since_ms
        if wanted.cursor is not None:
            key = tuple(wanted.cursor[:4])
            if tuple(spell[:4]) < key:
                continue
            if tuple(spell[:4]) == key:
                from_ms = max(from_ms, wanted.cursor.from_ms)
        _read_spell(reader, wanted.step_ms, spell, from_ms, page)
        if page.next is not None:
            break
    return page


def _spells(reader: StoreReader, wanted: _Wanted) -> list[_Spell]:
    found = spells(reader, wanted.stays, wanted.quantities, wanted.from_ms, wanted.to_ms)
    return sorted(
        _Spell(series.quantity, series.node, series.channel, since_ms, until_ms, series)
        for series, since_ms, until_ms in found
        if wanted.channel in (None, series.channel)
    )


def _read_spell(
    reader: StoreReader, step_ms: int | None, spell: _Spell, from_ms: int, page: _Page
) -> None:
    if step_ms is None:
        _take(
            page,
            spell,
            from_ms,
            reader.points(spell.series, from_ms, spell.until_ms, page.left + 1),
        )
        return
    for start_ms, end_ms in _windows(from_ms, spell.until_ms, step_ms, page.left):
        if page.queries == 0:
            page.next = _Cursor(*spell[:4], start_ms)
            return
        page.queries -= 1
        _take(page, spell, start_ms, reader.averages(spell.series, start_ms, end_ms, step_ms))
        if page.next is not None:
            return


def _windows(from_ms: int, until_ms: int, step_ms: int, limit: int) -> Iterator[tuple[int, int]]:
    """Stretches of about `limit` steps that end where a step ends, so that none is cut in two."""
    least, most = _AVERAGED_AT_ONCE_MS
    steps = max(1, min(max(limit * step_ms, least), most) // step_ms)
    while from_ms < until_ms:
        end_ms = min(until_ms, (from_ms // step_ms + steps) * step_ms)
        yield from_ms, end_ms
        from_ms = end_ms


def _take(
    page: _Page, spell: _Spell, from_ms: int, entries: Sequence[Point] | Sequence[Average]
) -> None:
    if len(entries) > page.left:
        begins = entries[page.left]
        at_ms = begins.measured_at_ms if isinstance(begins, Point) else begins.start_ms
        page.next = _Cursor(*spell[:4], max(at_ms, from_ms))
        entries = entries[: page.left]
    page.left -= len(entries)
    if entries:
        page.found.setdefault(spell.series, []).extend(entries)


def _series(wanted: _Wanted, series: Series, found: list[Point | Average]) -> SeriesAnswer:
    points = [_reading(entry) for entry in found if isinstance(entry, Point)]
    averages = [_average(entry) for entry in found if isinstance(entry, Average)]
    return SeriesAnswer(
        node=series.node,
        room=wanted.room,
        quantity=series.quantity,
        channel=series.channel,
        unit=unit_of(series.quantity),
        readings=points if wanted.step_ms is None else None,
        averages=averages if wanted.step_ms is not None else None,
    )


def _reading(point: Point) -> ReadingAnswer:
    return ReadingAnswer(
        measured_at=iso_instant(point.measured_at_ms),
        value=point.value,
        quality=QUALITIES[point.quality],
        received_at=iso_instant(point.received_at_ms),
        time_source=TIME_SOURCES[point.time_source],
    )


def _average(average: Average) -> AverageAnswer:
    return AverageAnswer(
        start=iso_instant(average.start_ms),
        mean=average.mean,
        min=average.minimum,
        max=average.maximum,
        count=average.samples,
    )
