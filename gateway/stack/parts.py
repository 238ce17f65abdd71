"""Where the stack's files come from: `docker/` of the sources, and what areas above add to it.

An area above adds its part by an entry point of the group `preau.stack`: a function that returns
content by path. So the gateway imports none of them.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from ingest.errors import ConfigurationError

GROUP: Final = "preau.stack"
_CHECKOUT: Final = Path(__file__).resolve().parents[2]


def stack_file(name: str) -> str:
    """The text of a file of `docker/`."""
    return _folder().joinpath(name).read_text(encoding="utf-8")


def part(name: str) -> Mapping[str, bytes]:
    """Content by path, of the area that calls its part `name`.

    Raises `ConfigurationError` where no installed area has one.
    """
    for point in entry_points(group=GROUP, name=name):
        content: Mapping[str, bytes] = point.load()()
        return content
    raise ConfigurationError(f"this installation of preau has no part {name!r} for the stack")


def sources() -> Path | None:
    """The folder that the image is built from: the one we run from, or else in."""
    places = (_CHECKOUT, Path.cwd())
    return next((place for place in places if (place / "docker" / "Dockerfile").is_file()), None)


def _folder() -> Traversable:
    # A wheel carries docker/ inside the package (pyproject.toml); in the sources it lies beside it.
    packaged = files("gateway").joinpath("docker")
    return packaged if packaged.is_dir() else _CHECKOUT / "docker"
