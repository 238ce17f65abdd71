"""The errors of flashing. Their text is one line for the person who holds the board."""

from ingest.errors import PermanentError


class FlashError(PermanentError):
    """A board can't be flashed as asked. What happened to it, if anything, the text tells."""


class BrokenLinkError(FlashError):
    """The connection to the board broke, or the board stopped answering."""
