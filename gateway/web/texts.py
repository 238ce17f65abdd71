"""The words of the pages, from one catalogue: `texts.toml`, French and English side by side.

A key that is missing is an error, at the first look and in the tests. It knows no pages.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("fr", "en")
FALLBACK: Final = "fr"


@dataclass(frozen=True, slots=True)
class Texts:
    """The catalogue in one language; call it with a key."""

    language: str
    entries: Mapping[str, str]

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of `key` with its `{placeholders}` filled in. Raises `KeyError`."""
        text = self.entries[key]
        return text.format(**values) if values else text

    def count(self, key: str, n: int, **values: object) -> str:
        """The text of `key.one` or `key.other` for `n`: French says 0 and 1 in the singular."""
        singular = n in (0, 1) if self.language == "fr" else n == 1
        return self(f"{key}.{'one' if singular else 'other'}", n=n, **values)

    def under(self, prefix: str) -> dict[str, str]:
        """All texts whose key begins with `prefix.`, by the rest of the key."""
        start = f"{prefix}."
        return {
            key.removeprefix(start): text
            for key, text in self.entries.items()
            if key.startswith(start)
        }


@cache
def texts_in(language: str) -> Texts:
    """The catalogue in `language`, one of `LANGUAGES`."""
    return Texts(language, catalogue()[language])


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every text by language and dotted key."""
    return read_catalogue(Path(__file__).with_name("texts.toml"))


def read_catalogue(file: Path) -> dict[str, dict[str, str]]:
    """The texts of a file of this form, by language and dotted key."""
    found: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    _collect(tomllib.loads(file.read_text(encoding="utf-8")), (), found)
    return found


def _collect(
    table: Mapping[str, object], path: tuple[str, ...], found: dict[str, dict[str, str]]
) -> None:
    for key, entry in table.items():
        if isinstance(entry, Mapping):
            _collect(entry, (*path, key), found)
        else:
            found[key][".".join(path)] = str(entry)


def language_of(asked: str | None, kept: str | None, accepted: str, otherwise: str) -> str:
    """The language to answer in: asked for in the address, kept from before, accepted, else set.

    `accepted` is an `Accept-Language` header; what can't be read in it is passed over.
    """
    for choice in (asked, kept):
        if choice in LANGUAGES:
            return choice
    weighted = []
    for place, part in enumerate(accepted.split(",")[:20]):
        tag, _, weight = part.partition(";q=")
        primary = tag.strip().lower().split("-")[0]
        try:
            weighted.append((-float(weight or 1), place, primary))
        except ValueError:
            continue
    for negative, _, primary in sorted(weighted):
        if primary in LANGUAGES and negative < 0:
            return primary
    return otherwise if otherwise in LANGUAGES else FALLBACK
