"""`make bench [ARGS="SCENARIO … --rounds N --json FILE"]`: the figures of docs/performance.md.

Every scenario stands beside its reference in the same run. Without a name: ingest, catch-up and
end to end, some five minutes. Others: forwarding (with Node-RED), memory, queries, and the
simulated year.
"""

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure, as_json, show

SCENARIOS: Final = ("ingest", "catchup", "latency", "forwarding", "memory", "queries", "year")
DEFAULT: Final = SCENARIOS[:3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--packs", type=int, default=60_000, help="packs a round of ingest")
    parser.add_argument("--seconds", type=float, help="how long one measurement lasts")
    parser.add_argument("--readings", type=int, default=100_000_000, help="of the queries' store")
    parser.add_argument("--folder", type=Path, help="keeps the queries' store for the next time")
    parser.add_argument("--json", type=Path, help="writes the figures here as well")
    options = parser.parse_args()
    unknown = set(options.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    figures: list[Figure] = []
    for name in options.scenarios or DEFAULT:
        run: Callable[[argparse.Namespace], list[Figure]]
        run = import_module(f"tests.bench.{name}").run
        print(f"\n{name}")
        found = run(options)
        show(found)
        figures += found
    text = as_json(figures)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
