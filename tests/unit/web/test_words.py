import re
import string
from pathlib import Path

import pytest

import gateway.web
from gateway.web.formats import Formats
from gateway.web.room_state import Condition
from gateway.web.texts import catalogue, language_of, texts_in
from tests.unit.web.town import NOW_MS, ZONE

FRENCH = Formats(texts_in("fr"), ZONE)
ENGLISH = Formats(texts_in("en"), ZONE)


def placeholders(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_have_every_text_with_the_same_placeholders() -> None:
    french, english = catalogue()["fr"], catalogue()["en"]
    assert french.keys() == english.keys()
    for key in french:
        assert french[key].strip()
        assert english[key].strip()
        assert placeholders(french[key]) == placeholders(english[key]), key


def test_every_text_that_code_and_templates_name_exists() -> None:
    folder = Path(gateway.web.__file__).parent
    sources = [*folder.rglob("*.py"), *folder.rglob("*.html")]
    named = set()
    for source in sources:
        text = source.read_text(encoding="utf-8")
        named |= set(re.findall(r"""(?:say|texts)\(\s*["']([a-z_]+\.[a-z_0-9.]+)["']""", text))
        for key in re.findall(r"""(?:say|texts)\.count\(\s*["']([a-z_.]+[a-z])["']""", text):
            named |= {f"{key}.one", f"{key}.other"}
    assert len(named) > 40
    assert named <= catalogue()["fr"].keys()
    for condition in Condition:
        assert f"status.{condition}" in catalogue()["fr"]
        assert f"advice.{condition}" in catalogue()["fr"]


def test_numbers_are_written_as_each_language_does() -> None:
    assert FRENCH.number(-1234.56, 1) == "−1\N{NARROW NO-BREAK SPACE}234,6"
    assert ENGLISH.number(-1234.56, 1) == "−1,234.6"
    assert FRENCH.number(-0.04, 1) == "0,0"
    assert FRENCH.with_unit("humidity", 45.1) == "45\N{NO-BREAK SPACE}%"
    assert ENGLISH.with_unit("humidity", 45.1) == "45%"


@pytest.mark.parametrize(
    ("back_s", "french", "english"),
    [
        (-60, "à l’instant", "just now"),
        (59, "à l’instant", "just now"),
        (60, "il y a 1 min", "1 min ago"),
        (119 * 60, "il y a 119 min", "119 min ago"),
        (120 * 60, "il y a 2 h", "2 h ago"),
        (47 * 3600, "il y a 47 h", "47 h ago"),
        (48 * 3600, "il y a 2 jours", "2 days ago"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(back_s: int, french: str, english: str) -> None:
    at_ms = NOW_MS - back_s * 1000
    assert FRENCH.age(at_ms, NOW_MS) == french
    assert ENGLISH.age(at_ms, NOW_MS) == english


def test_dates_are_local_and_in_words() -> None:
    assert FRENCH.moment(NOW_MS) == "mar. 6 janvier 2026 à 10:40:00"
    assert ENGLISH.moment(NOW_MS) == "Tue 6 January 2026 at 10:40:00"
    assert FRENCH.date(NOW_MS - 5 * 86_400_000) == "jeu. 1er janvier 2026"
    assert FRENCH.iso(NOW_MS) == "2026-01-06T10:40:00+01:00"


def test_french_says_zero_in_the_singular_and_english_does_not() -> None:
    assert FRENCH.texts.count("town.rooms", 0) == "0 salle"
    assert ENGLISH.texts.count("town.rooms", 0) == "0 rooms"
    assert ENGLISH.texts.count("town.rooms", 1) == "1 room"


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "otherwise", "language"),
    [
        ("en", "fr", "fr", "fr", "en"),
        (None, "en", "fr", "fr", "en"),
        (None, None, "en-GB,en;q=0.9,fr;q=0.8", "fr", "en"),
        (None, None, "de,fr;q=0.5,en;q=0.4", "en", "fr"),
        (None, None, "en;q=0,fr;q=0.1", "en", "fr"),
        (None, None, "de", "en", "en"),
        ("xx", "<script>", "en;q=nonsense", "fr", "fr"),
        (None, None, "", "", "fr"),
    ],
)
def test_the_language_is_asked_for_kept_accepted_or_set(
    asked: str | None, kept: str | None, accepted: str, otherwise: str, language: str
) -> None:
    assert language_of(asked, kept, accepted, otherwise) == language
