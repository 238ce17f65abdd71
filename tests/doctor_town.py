"""A town in which all is in order, for tests that break one thing and ask `preau doctor`."""

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import run
from ingest.pipeline import Incoming, Pipeline
from ingest.store.writer import StoreWriter
from ingest.topics import base_name_of, topic_of
from tests.servers import free_port

NODE = "3c71bf4a2b10"
OTHER = "3c71bf4a2b11"
ESTATE = """\
[[site]]
id = "ferry"
name = "École Jules-Ferry"
[[site.building]]
id = "main"
name = "A"
[[site.building.room]]
id = "cp-a"
name = "CP A"
"""
PLACED = '[[node]]\nid = "{}"\n[[node.placement]]\nroom = "ferry/cp-a"\nsince = 2026-09-01\n'


class DoctorTown:
    """A folder with settings and an estate, in which everything is in order."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.port = free_port()
        self.sections = {
            "data": f'dir = "{folder / "data"}"',
            "http": f"port = {self.port}",
            "broker": f"port = {free_port()}",
        }
        self.declare(ESTATE + PLACED.format(NODE))
        (folder / "data").mkdir(mode=0o700)
        self.hear(NODE, int(time.time()))

    @property
    def settings(self) -> Path:
        file = self.folder / "preau.toml"
        texts = [f"[{name}]\n{text}\n" for name, text in self.sections.items()]
        file.write_text("".join(texts))
        return file

    def declare(self, text: str) -> None:
        (self.folder / "estate.toml").write_text(text)

    def hear(self, node: str, at_s: int, received_s: int | None = None) -> None:
        """A reading of a node in the store."""
        record = {"bn": base_name_of(node), "bver": 26, "bt": at_s}
        payload = json.dumps([record | {"n": "temperature", "u": "Cel", "v": 19.5}]).encode()
        with closing(StoreWriter(self.folder / "data")) as store:
            received_ms = (received_s or at_s) * 1000
            Pipeline(store).take([Incoming(topic_of(node, "readings"), payload, received_ms)])

    def ask(self, status: int) -> list[dict[str, Any]]:
        """What `preau doctor --json` finds; it must end with this status."""
        self.capsys.readouterr()
        ended = run(["doctor", "--json", "--settings", str(self.settings)])
        answer = json.loads(self.capsys.readouterr().out)
        assert ended == status, answer
        assert answer["ok"] is (status == 0)
        return answer["findings"]

    def sick(self, status: int = 1) -> list[tuple[str, str, str, str]]:
        """(check, level, text, remedy) of what is not in order; what this machine lacks aside."""
        found = [
            (one["check"], one["level"], one["text"], one["remedy"])
            for one in self.ask(status)
            if one["level"] != "good" and one["check"] not in {"clock", "serial"}
        ]
        assert all(remedy for *_, remedy in found)
        return found


def doctor_town(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> DoctorTown:
    """The town in `folder`, which is where commands are typed from then on."""
    for name in [name for name in os.environ if name.startswith("PREAU_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    return DoctorTown(folder, capsys)
