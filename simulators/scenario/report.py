"""What became of a scenario, as a table for people, as JSON, and as JUnit's XML for CI.

Pure: an outcome goes in, text comes out.
"""

import json
import shlex
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as ET

from simulators.scenario.perform import Outcome

_SHOWN_ROOMS: Final = 3


def as_table(outcome: Outcome) -> str:
    """A line for each expectation, then what it was."""
    rows = [(_mark(verdict.holds), verdict.name, verdict.found) for verdict in outcome.verdicts]
    width = max((len(name) for _, name, _ in rows), default=0)
    lines = [f"{mark:<6}  {name:<{width}}  {found}" for mark, name, found in rows]
    if outcome.broke is not None:
        lines.append(
            f"{_mark(holds=False):<6}  came to a stop at {_time(outcome.at_ms)}: {outcome.broke}"
        )
    lines.append("")
    lines.append(summary(outcome))
    if not outcome.holds:
        lines += [f"{v.place}: {v.name}: {v.found}" for v in outcome.verdicts if v.holds is False]
        lines.append(f"to see it again: {again(outcome)}")
    return "\n".join(lines)


def summary(outcome: Outcome) -> str:
    """One line."""
    expected = len(outcome.scenario.expectations)
    said = "passed" if outcome.holds else "FAILED"
    held = f"{sum(v.holds is True for v in outcome.verdicts)} of {expected} hold"
    return (
        f"{outcome.scenario.name}: {said}, {held}; {outcome.nodes} nodes{_firmware(outcome)}, "
        f"{outcome.packs} packs{_sent(outcome)}, {outcome.took_s:.1f} s; "
        f"seed {outcome.scenario.seed}{_bytes(outcome)}"
    )


def _sent(outcome: Outcome) -> str:
    """What only virtual nodes tell of themselves."""
    return f", {outcome.resent} sent again" if outcome.digest else ""


def _bytes(outcome: Outcome) -> str:
    return f", packs {outcome.digest}" if outcome.digest else ""


def _firmware(outcome: Outcome) -> str:
    """How many are no simulation, and where the first of them stand."""
    count = len(outcome.firmware)
    rooms = ", ".join(room for _, room in outcome.firmware[:_SHOWN_ROOMS])
    more = ", …" if count > _SHOWN_ROOMS else ""
    return f" ({count} with the real firmware: {rooms}{more})" if count else ""


def again(outcome: Outcome) -> str:
    """The command that plays the same."""
    scenario, head = outcome.scenario, outcome.scenario.head
    words = ["preau", "simulate", *(["--replay"] if scenario.is_recording else [])]
    words += [str(scenario.source.file), "--seed", str(scenario.seed)]
    if scenario.is_short:
        words.append("--short")
    if head.nodes is not None:
        words += ["--nodes", str(head.nodes)]
    if head.speed != scenario.written.speed:
        words += ["--speed", head.speed if head.speed == "full" else f"{head.speed:g}"]
    if head.sessions != scenario.written.sessions:
        words.append("--shared-session")
    return shlex.join([*words, *scenario.asked])


def as_json(outcome: Outcome) -> str:
    """The same for programs."""
    return json.dumps(
        {
            "scenario": outcome.scenario.name,
            "holds": outcome.holds,
            "seed": outcome.scenario.seed,
            "nodes": outcome.nodes,
            "firmware": [{"node": node, "room": room} for node, room in outcome.firmware],
            "packs": outcome.packs,
            "resent": outcome.resent if outcome.digest else None,
            "digest": outcome.digest or None,
            "seconds": round(outcome.took_s, 3),
            "broke": outcome.broke,
            "reached": _time(outcome.at_ms),
            "expectations": [
                {"name": v.name, "holds": v.holds, "found": v.found, "place": v.place}
                for v in outcome.verdicts
            ],
        },
        ensure_ascii=False,
    )


def as_junit(outcome: Outcome) -> str:
    """A suite of one case for each expectation, as CI servers show them."""
    failed = sum(verdict.holds is False for verdict in outcome.verdicts)
    suite = ET.Element(
        "testsuite",
        name=f"preau simulate {outcome.scenario.name}",
        tests=str(len(outcome.verdicts) + (outcome.broke is not None)),
        failures=str(failed),
        errors=str(int(outcome.broke is not None)),
        time=f"{outcome.took_s:.3f}",
    )
    if outcome.firmware:
        properties = ET.SubElement(suite, "properties")
        for node, room in outcome.firmware:
            ET.SubElement(properties, "property", name="firmware", value=f"{node} {room}")
    for verdict in outcome.verdicts:
        case = ET.SubElement(suite, "testcase", classname=outcome.scenario.name, name=verdict.name)
        if verdict.holds is None:
            ET.SubElement(case, "skipped", message=_printable(verdict.found))
        elif not verdict.holds:
            failure = ET.SubElement(case, "failure", message=_printable(verdict.found))
            failure.text = f"{verdict.place}\nto see it again: {again(outcome)}"
    if outcome.broke is not None:
        case = ET.SubElement(
            suite, "testcase", classname=outcome.scenario.name, name="comes to its end"
        )
        error = ET.SubElement(case, "error", message=_printable(outcome.broke))
        error.text = f"at {_time(outcome.at_ms)}\nto see it again: {again(outcome)}"
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """XML has no place for control characters, which a server's last words may hold."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _mark(holds: bool | None) -> str:  # noqa: FBT001 - a verdict is a yes or a no
    return {True: "ok", False: "FAILED", None: "unseen"}[holds]


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
