"""What the compose stack gives to its Grafana: the generated tree, as it is installed.

It needs neither the SDK nor anything else of the extra `dashboards`.
"""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable


def grafana() -> dict[str, bytes]:
    """Content by path: `dashboards/*.json` and `provisioning/**/*.yaml`."""
    return dict(_content(files("dashboards").joinpath("generated"), ""))


def _content(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _content(entry, f"{path}/")
        else:
            yield path, entry.read_bytes()
