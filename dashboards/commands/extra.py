"""Tells which extra a command needs, where it is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.errors import ConfigurationError


@contextmanager
def needed(extra: str) -> Iterator[None]:
    """What is imported inside belongs to `extra`. Raises `ConfigurationError` without it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the package {error.name} is missing: pip install 'preau[{extra}]'"
        ) from error
