"""Speaks as much of Grafana's HTTP interface as `preau dashboards push` needs, and remembers.

A Grafana itself can't be had from Debian, PyPI or npm. What it answers is written down here after
its documentation; the client that asks is the real one.
"""

import json
from dataclasses import dataclass, field
from urllib.parse import unquote

from dashboards.influxql import SOURCE_UID
from tests.http_peer import Answer, Request

TOKEN = "glsa_0123456789"


@dataclass
class GrafanaPeer:
    """Its state; `rule` is for `HttpPeer`. `fails` answers 500 to what it is true of."""

    version: str = "12.2.1"
    source: dict | None = field(
        default_factory=lambda: {
            "uid": SOURCE_UID,
            "name": "Préau",
            "type": "influxdb",
            "jsonData": {"version": "InfluxQL"},
        }
    )
    health: tuple[int, dict] = (200, {"status": "OK", "message": "3 measurements found"})
    role_is_enough: bool = True
    fails: str = ""
    folders: dict[str, str] = field(default_factory=dict)
    dashboards: dict[str, dict] = field(default_factory=dict)
    groups: dict[str, dict] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)

    def rule(self, request: Request) -> Answer:
        path = unquote(request.path.partition("?")[0]).removeprefix("/api")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _json({"message": "Invalid API key"}, 401)
        if request.method != "GET":
            if not self.role_is_enough:
                return _json({"message": "You'll need additional permissions"}, 403)
            self.writes.append(f"{request.method} {path}")
            if self.fails and self.fails in request.body.decode():
                return _json({"message": "database is locked"}, 500)
        return self._answer(request.method, path, request.body)

    def _answer(self, method: str, path: str, body: bytes) -> Answer:
        content = json.loads(body) if body else {}
        *head, last = path.strip("/").split("/")
        match method, "/".join(head):
            case "GET", "frontend":
                return _json({"buildInfo": {"version": self.version}})
            case "GET", "":
                return _json([{"uid": uid} for uid in self.folders])
            case "GET", "datasources/uid" | "datasources/name":
                key = "uid" if head[-1] == "uid" else "name"
                known = self.source and self.source[key] == last
                return _json(self.source) if known else _missing()
            case "GET", _ if last == "health":
                return _json(self.health[1], self.health[0])
            case "GET", "folders":
                known = last in self.folders
                return _json({"uid": last, "title": self.folders[last]}) if known else _missing()
            case "POST", "" if last == "folders":
                self.folders[content["uid"]] = content["title"]
                return _json(content)
            case "DELETE", "folders":
                return _json({}) if self.folders.pop(last, None) else _missing()
            case _, "dashboards/uid" | "dashboards":
                return self._dashboard(method, last, content)
        return self._group(method, path, content)

    def _dashboard(self, method: str, uid: str, content: dict) -> Answer:
        if method == "POST":
            saved = content["dashboard"] | {"id": 7, "version": 1}
            meta = {"folderUid": content["folderUid"]}
            self.dashboards[saved["uid"]] = {"dashboard": saved, "meta": meta}
            return _json({"uid": saved["uid"], "status": "success"})
        if uid not in self.dashboards:
            return _missing()
        if method == "DELETE":
            del self.dashboards[uid]
            return _json({})
        return _json(self.dashboards[uid])

    def _group(self, method: str, path: str, content: dict) -> Answer:
        assert path.startswith("/v1/provisioning/folder/"), f"{method} {path}"
        if method == "PUT":
            self.groups[path] = content
        return _json(self.groups[path]) if path in self.groups else _missing()


def _json(content: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(content), {"Content-Type": "application/json"})


def _missing() -> Answer:
    return _json({"message": "not found"}, 404)
