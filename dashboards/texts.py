"""The words of dashboards and alerts, French and English side by side in `texts.toml`."""

from functools import cache
from pathlib import Path

from gateway.web.texts import LANGUAGES, Texts, read_catalogue

__all__ = ["LANGUAGES", "Texts", "texts_in"]


@cache
def texts_in(language: str) -> Texts:
    """The catalogue in `language`, one of `LANGUAGES`."""
    return Texts(language, read_catalogue(Path(__file__).with_name("texts.toml"))[language])
