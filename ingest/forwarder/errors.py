"""What can go wrong between us and an InfluxDB, by what is to be done about it."""

import json
import re
from email.utils import parsedate_to_datetime
from typing import Final

from ingest.errors import PermanentError, TransientError

WORDS_KEPT: Final = 500
_LONGEST_RETRY_AFTER_S: Final = 3600.0
_DROPPED: Final = re.compile(r"\bdropped=(\d+)")
_FIELD: Final = re.compile(r'field type conflict: input field \\?"([^"\\]+)\\?"')


class InfluxAwayError(TransientError):
    """No answer, or one that asks for patience: the same batch is sent again."""

    def __init__(self, text: str, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class InfluxSetupError(TransientError):
    """An operator has to do something first; until then the batch waits, and is tried now and
    then.
    """


class InfluxRefusedError(PermanentError):
    """The server will never take this batch as it is. `words` are its own."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words

    @property
    def dropped(self) -> int | None:
        """How many points it did not take, where it took the others."""
        found = _DROPPED.search(self.words)
        return int(found[1]) if found else None

    @property
    def field(self) -> str | None:
        """The field whose type contradicts what the database holds."""
        found = _FIELD.search(self.words)
        return found[1] if found else None

    @property
    def is_beyond_retention(self) -> bool:
        """Whether the points are older than what the database is set to keep."""
        return "beyond retention policy" in self.words


def error_of(
    status: int, body: str, retry_after: str | None, now_s: float
) -> InfluxAwayError | InfluxSetupError | InfluxRefusedError:
    """The error that a status of HTTP other than success stands for, and the body of the answer."""
    said = _said_in(body)
    words = " ".join((said or body).split())[:WORDS_KEPT] or "no words of its own"
    if status in {408, 425, 429} or status >= 500:
        return InfluxAwayError(f"HTTP {status}: {words}", retry_after_s(retry_after, now_s))
    if status in {400, 422} and said is None:
        # A proxy, or a TLS port that is spoken to without: it has not looked at the points.
        return InfluxSetupError(
            f"HTTP {status}: {words}: no answer of an InfluxDB; look at its url"
        )
    if status in {400, 413, 422}:
        return InfluxRefusedError(f"HTTP {status}: {words}")
    if 300 <= status < 400:
        return InfluxSetupError(f"HTTP {status}, a redirection: is the url InfluxDB's own?")
    if status in {401, 403}:
        return InfluxSetupError(f"HTTP {status}: {words}: look at its credentials")
    return InfluxSetupError(f"HTTP {status}: {words}")


def _said_in(body: str) -> str | None:
    """The server's own words: every InfluxDB wraps them in JSON, 2.x as `message`."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    said = (answer.get("message") or answer.get("error")) if isinstance(answer, dict) else None
    return None if said is None else str(said)


def retry_after_s(text: str | None, now_s: float) -> float:
    """Seconds to wait by a Retry-After header (RFC 9110 section 10.2.3), an hour at most."""
    if not text:
        return 0.0
    try:
        seconds = float(text) if text.isascii() and text.isdecimal() else _until(text, now_s)
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_S)


def _until(text: str, now_s: float) -> float:
    return parsedate_to_datetime(text).timestamp() - now_s
