"""The errors of the whole project, sorted by what the caller does about them.

Below the root stand only two kinds: try again later (`TransientError`), or refuse and count
(`PermanentError`). It knows nothing of who raises them.
"""


class PreauError(Exception):
    """Root of every error that this project raises on purpose. Its text is meant for a person."""


class TransientError(PreauError):
    """The same call may succeed later: a server is away, a disk is full."""


class PermanentError(PreauError):
    """The same call will fail again: the input is wrong."""


class ConfigurationError(PermanentError):
    """Settings, estate or command line can't be used as they stand."""


class PackError(PermanentError):
    """A payload is no pack of the contract. `reason` is the short code that is counted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class StoreError(PermanentError):
    """The local store can't be opened or used; the text says what to do about it."""


class StoreFullError(TransientError):
    """The disk has no room for the next commit: nothing of it was acknowledged."""
