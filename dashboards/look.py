"""The language and time zone of what is built, checked."""

from zoneinfo import ZoneInfo

from dashboards.defaults import Look
from dashboards.texts import texts_in
from ingest.errors import ConfigurationError


def look_of(language: str, time_zone: str = "Europe/Paris") -> Look:
    """The look in a language of the catalogue. Raises `ConfigurationError` for an unknown zone."""
    try:
        ZoneInfo(time_zone)
    except (ValueError, OSError, KeyError) as error:
        raise ConfigurationError(f"{time_zone!r} is no time zone, such as Europe/Paris") from error
    return Look(texts_in(language), time_zone)
