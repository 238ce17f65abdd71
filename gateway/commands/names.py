"""Names that people type and press Tab for: nodes and rooms, as types of click.

They complete from the estate; a completion that can't read it offers nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from gateway.settings import load_settings
from ingest.errors import PreauError
from ingest.estate.load import load_estate
from ingest.estate.model import Estate
from ingest.topics import node_id_in


class NodeName(click.ParamType[str]):
    """A node id: the 12 hex digits of the label, in any case, with or without `:` or `-`."""

    name = "node"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id in its canonical form."""
        node = node_id_in(value)
        if node is None:
            self.fail(
                f"{value!r} is no node id: write the 12 hex digits of the label,"
                " such as 3c71bf4a2b10 or 3C:71:BF:4A:2B:10",
                param,
                ctx,
            )
        return node

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The declared nodes."""
        del param
        return [
            CompletionItem(node.id, help=node.placements[-1].room if node.placements else None)
            for node in _estate(ctx).nodes
            if node.id.startswith(incomplete)
        ]


class RoomName(click.ParamType[str]):
    """A room: `SITE/ROOM` or `SITE/BUILDING/ROOM`. Whether there is one is not looked at here."""

    name = "room"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is; without a `/` it can't name a room."""
        if "/" not in value:
            self.fail(f"{value!r} is no room: write SITE/ROOM or SITE/BUILDING/ROOM", param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The rooms of the estate."""
        del param
        return [item for item in _rooms(_estate(ctx)) if item.value.startswith(incomplete)]


def _rooms(estate: Estate) -> Iterator[CompletionItem]:
    for place in estate.rooms():
        yield CompletionItem(place.ref, help=place.room.name)


def _estate(ctx: click.Context) -> Estate:
    given = ctx.params.get("settings_file")
    try:
        settings = load_settings(Path(given) if given else None)
        return load_estate(settings.estate_file, settings.zone)
    except PreauError:
        # A message would land in the line that is being typed; the command itself tells it.
        return Estate()


NODE: Final = NodeName()
ROOM: Final = RoomName()
