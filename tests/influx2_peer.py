"""Answers as InfluxDB 2 does to who sets it up and writes to it, as far as its sources tell.

A stand-in: InfluxDB 2 can't be installed where the tests run. It gives rights by bucket, chooses
tokens itself, and forgets nothing.
"""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.http_peer import Answer, Request

ORG_ID, BUCKET_ID = "0123456789abcdef", "fedcba9876543210"


class Influx2Peer:
    """`rule` is for `http_peer`. Before 2.5 InfluxQL found no bucket that was not mapped."""

    def __init__(self, *, maps_by_itself: bool = True) -> None:
        self.setup: dict[str, Any] | None = None
        self.tokens: dict[str, dict[str, Any]] = {}
        self.mappings: list[dict[str, Any]] = []
        self.lines: list[bytes] = []
        self._maps_by_itself = maps_by_itself
        self._made = 0

    def rights(self, token: str) -> set[str]:
        """What a token allows on the bucket."""
        known = self.tokens.get(token, {"permissions": []})
        return {one["action"] for one in known["permissions"]}

    def rule(self, request: Request) -> Answer:
        parts = urlsplit(request.path)
        query = dict(parse_qsl(parts.query))
        token = request.headers.get("authorization", "").removeprefix("Token ")
        if parts.path == "/api/v2/setup":
            return self._set_up(request)
        if parts.path == "/api/v2/write":
            return self._write(request, token, query)
        if parts.path == f"/api/v2/buckets/{BUCKET_ID}":
            allowed = "read" in self.rights(token) or self._is_operator(token)
            return _said({"id": BUCKET_ID}) if allowed else _refused()
        if not self._is_operator(token):
            return _refused()
        return self._for_operator(request, parts.path, query)

    def _set_up(self, request: Request) -> Answer:
        if request.method == "GET":
            return _said({"allowed": self.setup is None})
        if self.setup is not None:
            return _said({"code": "conflict", "message": "onboarding is already done"}, 422)
        self.setup = json.loads(request.body)
        return _said({"org": {"id": ORG_ID}, "bucket": {"id": BUCKET_ID}}, 201)

    def _is_operator(self, token: str) -> bool:
        return self.setup is not None and token == self.setup["token"]

    def _for_operator(self, request: Request, path: str, query: dict[str, str]) -> Answer:
        assert self.setup is not None
        if path == "/api/v2/orgs":
            return _said({"orgs": [{"id": ORG_ID}] if query["org"] == self.setup["org"] else []})
        if path == "/api/v2/buckets":
            found = query["name"] == self.setup["bucket"]
            return _said({"buckets": [{"id": BUCKET_ID}] if found else []})
        if path == "/api/v2/dbrps":
            return self._map(request)
        if path.startswith("/api/v2/authorizations"):
            return self._authorize(request, path)
        return _said({"code": "not found", "message": "path not found"}, 404)

    def _map(self, request: Request) -> Answer:
        if request.method == "POST":
            self.mappings.append(json.loads(request.body))
            return _said(self.mappings[-1], 201)
        virtual = [{"virtual": True}] if self._maps_by_itself else []
        return _said({"content": self.mappings or virtual})

    def _authorize(self, request: Request, path: str) -> Answer:
        if request.method == "DELETE":
            wanted = path.rpartition("/")[2]
            self.tokens = {t: one for t, one in self.tokens.items() if one["id"] != wanted}
            return Answer()
        if request.method == "GET":
            return _said({"authorizations": list(self.tokens.values())})
        self._made += 1
        token, made = f"chosen-by-influxdb-{self._made}==", json.loads(request.body)
        assert made["orgID"] == ORG_ID
        assert all(
            one["resource"] == {"type": "buckets", "id": BUCKET_ID, "orgID": ORG_ID}
            for one in made["permissions"]
        )
        self.tokens[token] = made | {"id": f"{self._made:016x}"}
        return _said(self.tokens[token] | {"token": token}, 201)

    def _write(self, request: Request, token: str, query: dict[str, str]) -> Answer:
        if "write" not in self.rights(token):
            return _refused()
        assert self.setup is not None
        if (query["org"], query["bucket"]) != (self.setup["org"], self.setup["bucket"]):
            return _said({"code": "not found", "message": "bucket not found"}, 404)
        self.lines += request.lines
        return Answer()


def _said(content: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(content), {"Content-Type": "application/json"})


def _refused() -> Answer:
    return _said({"code": "unauthorized", "message": "unauthorized access"}, 401)
