"""The node's place in the estate: whether it may have one is asked before the board is touched, and
it gets it once the board holds its program. Boards are not known here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.settings import Settings
from ingest.errors import ConfigurationError
from ingest.estate.editor import EstateEditor
from ingest.estate.load import load_estate
from ingest.estate.model import Node
from ingest.estate.rooms import find_room


@dataclass(frozen=True, slots=True)
class EstateEntry:
    """Where nodes that are flashed now go; without `room` they are declared and placed later."""

    file: Path
    zone: ZoneInfo
    room: str | None

    @classmethod
    def wanted(cls, settings: Settings, room: str | None) -> "EstateEntry":
        """Raises `ConfigurationError` where there is no such estate or room."""
        estate = load_estate(settings.estate_file, settings.zone)
        ref = None if room is None else find_room(estate, room).ref
        return cls(settings.estate_file, settings.zone, ref)

    def require_possible(self, node: str) -> None:
        """Raise `ConfigurationError` for a node that was taken out of service and gets no room."""
        known = self._known(node)
        if known is not None and known.removed is not None and self.room is None:
            raise ConfigurationError(
                f"{node} is out of service: say with --room where it is to be from now on"
            )

    def write(self, node: str, model: str) -> str:
        """Have the node in the estate; what was done, for people. Raises what the editor raises."""
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        editor = EstateEditor(self.file, self.zone)
        if self._known(node) is None:
            return editor.add(node, since=now, room=self.room, model=model).said
        if self.room is not None:
            return editor.place(node, self.room, now).said
        return "is in the estate already"

    def _known(self, node: str) -> Node | None:
        # Read anew for each board: a batch goes on for hours.
        return load_estate(self.file, self.zone).node(node)
