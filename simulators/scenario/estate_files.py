"""The estate that the gateway of a scenario is given: that of the scenario, and its copies.

It writes files and knows no gateway.
"""

import shutil
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

from ingest.estate.load import estate_files
from simulators.scenario.cast import Cast, Stand
from simulators.scenario.script import Scenario


def write_estate(folder: Path, scenario: Scenario, cast: Cast) -> Path:
    """Copy the estate's files into `folder`, with what its copies add; the main file."""
    main = folder / "estate.toml"
    first, *others = estate_files(scenario.estate_file)
    shutil.copyfile(first, main)
    extra = folder / "estate.d"
    extra.mkdir()
    for other in others:
        shutil.copyfile(other, extra / other.name)
    copied: defaultdict[int, list[Stand]] = defaultdict(list)
    for stand in cast.stands:
        if stand.copy > 1:
            copied[stand.copy].append(stand)
    for copy, stands in copied.items():
        (extra / f"copy-{copy:05}.toml").write_text(
            _copy_text(scenario, copy, stands), encoding="utf-8"
        )
    return main


def _copy_text(scenario: Scenario, copy: int, stands: list[Stand]) -> str:
    by_site: defaultdict[str, list[Stand]] = defaultdict(list)
    for stand in stands:
        by_site[stand.ref.partition("/")[0]].append(stand)
    lines = []
    for site, inside in by_site.items():
        lines += ["[[site]]", f'id = "{site}-{copy}"', f'name = "{site} {copy}"']
        lines += ["[[site.building]]", 'id = "principal"', 'name = "principal"']
        for stand in inside:
            place = scenario.estate.room(stand.ref)
            profile = "other" if place is None else place.room.profile
            room = stand.ref.partition("/")[2]
            lines += ["[[site.building.room]]", f'id = "{room}"', f'name = "{room}"']
            lines.append(f'profile = "{profile}"')
    since = scenario.head.begin.date() - timedelta(days=1)
    for stand in stands:
        site, _, room = stand.ref.partition("/")
        lines += ["[[node]]", f'id = "{stand.node}"', "[[node.placement]]"]
        lines += [f'room = "{site}-{copy}/{room}"', f"since = {since}"]
    return "\n".join(lines) + "\n"
