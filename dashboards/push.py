"""Brings dashboards and alert rules into a Grafana that is there already: all of them, or nothing.

It is handed a client of Grafana's HTTP interface and asks everything before it changes anything.
"""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from dashboards import alerts, frame
from dashboards.influxql import SOURCE_TYPE, SOURCE_UID
from ingest.errors import PermanentError

OLDEST: Final = 11
"""The first version of Grafana whose panels are those that are pushed."""
_OF_THE_SERVER: Final = ("id", "version")
_Json = dict[str, Any]


class GrafanaError(PermanentError):
    """Grafana can't take what it is given; says what an operator has to do."""


class Grafana(Protocol):
    """What is asked of a Grafana. Every method raises `GrafanaError`."""

    def version(self) -> str:
        """Such as `12.2.0`."""

    def data_source(self, name: str) -> _Json | None:
        """By uid or name."""

    def health(self, uid: str) -> str | None:
        """What the data source says is wrong with it; `None` if nothing is."""

    def folder(self, uid: str) -> _Json | None:
        """A folder."""

    def create_folder(self, uid: str, title: str) -> None:
        """Make one."""

    def delete_folder(self, uid: str) -> None:
        """Take one away, if it is there."""

    def dashboard(self, uid: str) -> _Json | None:
        """`dashboard` and `meta`, as Grafana gives them."""

    def save_dashboard(self, dashboard: _Json, folder_uid: str) -> None:
        """Make it or write over it."""

    def delete_dashboard(self, uid: str) -> None:
        """Take one away, if it is there."""

    def rule_group(self, folder_uid: str, group: str) -> _Json | None:
        """A group of alert rules."""

    def save_rule_group(self, folder_uid: str, group: str, content: _Json) -> None:
        """Make it or write over it."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is to be as `after`; `before` is what is there, if anything."""

    title: str
    before: _Json | None
    after: _Json
    folder_uid: str
    is_rules: bool = False

    def difference(self) -> Iterator[str]:
        """In lines, as `diff -u` writes them."""
        before, after = _lines(self.before or {}), _lines(self.after)
        yield from difflib.unified_diff(before, after, "grafana", self.title, lineterm="", n=1)


def check(grafana: Grafana, source: str) -> str:
    """The uid of the data source, if this Grafana and it will do. Raises `GrafanaError`."""
    version = grafana.version()
    major = version.partition(".")[0]
    if not major.isdigit() or int(major) < OLDEST:
        raise GrafanaError(f"this is Grafana {version}: the dashboards need {OLDEST} or later")
    found = grafana.data_source(source)
    if found is None:
        raise GrafanaError(
            f"Grafana has no data source {source!r}: make one of type InfluxDB with query language "
            "InfluxQL, and name it by --datasource"
        )
    if found.get("type") != SOURCE_TYPE:
        raise GrafanaError(
            f"the data source {source!r} is of type {found.get('type')!r}, not InfluxDB"
        )
    language = (found.get("jsonData") or {}).get("version") or "InfluxQL"
    if language != "InfluxQL":
        raise GrafanaError(
            f"the data source {source!r} asks in {language}: set its query language to InfluxQL"
        )
    uid = str(found["uid"])
    wrong = grafana.health(uid)
    if wrong is not None:
        raise GrafanaError(
            f"the data source {source!r} does not answer: {wrong}; its database must be the one "
            "(in 2.x the bucket) that the gateway writes to"
        )
    return uid


def changes(
    grafana: Grafana, wanted: Mapping[str, bytes], rules: Sequence[_Json], uid: str
) -> list[Change]:
    """What has to change so that Grafana has these dashboards, by path, and these alert rules."""
    found = []
    for content in wanted.values():
        after: _Json = json.loads(_for_source(content.decode(), uid))
        there = grafana.dashboard(after["uid"])
        before = None if there is None else _own(there["dashboard"])
        folder_uid = str((there or {}).get("meta", {}).get("folderUid") or "")
        if before != after or folder_uid != frame.TAG:
            found.append(Change(after["title"], before, after, folder_uid))
    if rules:
        group = grafana.rule_group(frame.TAG, alerts.GROUP)
        after = _group_of(json.loads(_for_source(json.dumps(rules), uid)))
        if _rules_of(group) != _rules_of(after):
            found.append(Change(alerts.GROUP, group, after, frame.TAG, is_rules=True))
    return found


def apply(grafana: Grafana, wanted: Sequence[Change], folder_title: str) -> None:
    """Make the changes. What was done is undone where one fails. Raises `GrafanaError`."""
    undo: list[Callable[[], None]] = []
    try:
        if wanted and grafana.folder(frame.TAG) is None:
            grafana.create_folder(frame.TAG, folder_title)
            undo.append(lambda: grafana.delete_folder(frame.TAG))
        for change in wanted:
            # Before it is done: a write whose answer is lost may have been done.
            undo.append(_undoing(grafana, change))
            if change.is_rules:
                grafana.save_rule_group(frame.TAG, alerts.GROUP, change.after)
            else:
                grafana.save_dashboard(change.after, frame.TAG)
    except GrafanaError as error:
        _undo_all(undo, error)
        raise GrafanaError(f"{error}; nothing was changed") from error


def _undoing(grafana: Grafana, change: Change) -> Callable[[], None]:
    before = change.before
    if change.is_rules:
        content = before or _group_of([])
        return lambda: grafana.save_rule_group(frame.TAG, alerts.GROUP, content)
    if before is None:
        return lambda: grafana.delete_dashboard(change.after["uid"])
    return lambda: grafana.save_dashboard(before, change.folder_uid)


def _undo_all(undo: Sequence[Callable[[], None]], cause: GrafanaError) -> None:
    failed = []
    for one in reversed(undo):
        try:
            one()
        except GrafanaError as error:
            failed.append(str(error))
    if failed:
        raise GrafanaError(
            f"{cause}; and what was done before could not all be undone: {'; '.join(failed)}"
        ) from cause


def _for_source(text: str, uid: str) -> str:
    return text.replace(json.dumps(SOURCE_UID), json.dumps(uid))


def _own(dashboard: _Json) -> _Json:
    """A dashboard without what the server adds."""
    return {key: value for key, value in dashboard.items() if key not in _OF_THE_SERVER}


def _group_of(rules: Sequence[_Json]) -> _Json:
    return {"title": alerts.GROUP, "folderUid": frame.TAG, "interval": 60, "rules": list(rules)}


def _rules_of(group: _Json | None) -> list[_Json]:
    """The rules as far as they are ours: the server adds to them."""
    keys = ("uid", "title", "condition", "data", "for", "noDataState", "execErrState", "labels")
    rules = (group or {}).get("rules") or []
    return [{key: rule.get(key) for key in (*keys, "annotations")} for rule in rules]


def _lines(content: _Json) -> list[str]:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
