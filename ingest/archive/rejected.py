"""A file of the lines that an import could not take in, each with its reason.

It can be mended and imported in its turn: in CSV the reason is one column more, in line protocol a
comment above the line. It is not there if nothing was refused.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self

from ingest.archive.record import Record, RefusedLine

Format = Literal["csv", "line-protocol"]
_REASONS_COUNTED: Final = 1000
"""Reasons name values, so that there may be as many as lines."""


class RejectedLines:
    """Writes refused lines of one import; `header` is the first line of the file they are from."""

    def __init__(self, file: Path, form: Format, header: bytes = b"") -> None:
        self.file = file
        self.count = 0
        self.reasons: Counter[str] = Counter()
        self._form = form
        self._header = header.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
        self._delimiter = ";" if b";" in header and b"," not in header else ","
        self._output: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._output is not None:
            self._output.close()

    def without(self, found: Iterable[Record | RefusedLine]) -> Iterator[Record]:
        """The records of `found`; what is refused is written on the way."""
        for one in found:
            if isinstance(one, RefusedLine):
                self._write(one)
            else:
                yield one

    def _write(self, line: RefusedLine) -> None:
        self.count += 1
        if line.reason in self.reasons or len(self.reasons) < _REASONS_COUNTED:
            self.reasons[line.reason] += 1
        if self._output is None:
            self._output = self.file.open("wb")
            if self._form == "csv":
                self._output.write(self._header + self._delimiter.encode() + b"reason\n")
        if self._form == "csv":
            self._output.write(line.content + self._delimiter.encode() + _quoted(line.reason))
        else:
            reason = " ".join(f"line {line.number}: {line.reason}".split())
            self._output.write(f"# {reason}\n".encode() + line.content + b"\n")


def _quoted(text: str) -> bytes:
    output = io.StringIO()
    csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow([text])
    return output.getvalue().encode()
