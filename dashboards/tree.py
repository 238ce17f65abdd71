"""Everything that Grafana is given, as files: the same bytes every time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from dashboards import nodes, provisioning, room, service, site, town
from dashboards.defaults import Look
from ingest.errors import ConfigurationError

_BUILDERS: Final = (town.build, site.build, room.build, nodes.build, service.build)
_HEADER: Final = "# Written by `preau dashboards build`. What is changed here is lost.\n"


def dashboards(look: Look) -> list[dashboard.Dashboard]:
    """Every dashboard."""
    return [build(look) for build in _BUILDERS]


def tree(look: Look, api: provisioning.Api = "v2") -> dict[str, bytes]:
    """Content by path: `dashboards/*.json` and `provisioning/**/*.yaml`."""
    found = {f"dashboards/{one.uid}.json": as_json(one) for one in dashboards(look)}
    files = {
        "datasources/preau": provisioning.data_source(api),
        "dashboards/preau": provisioning.providers(look),
        "alerting/rules": provisioning.rules(look),
        "alerting/contact-points": provisioning.contact_points(look),
        "alerting/policies": provisioning.policies(look),
    }
    return found | {f"provisioning/{name}.yaml": _as_yaml(of) for name, of in files.items()}


def as_json(one: dashboard.Dashboard) -> bytes:
    """A dashboard as Grafana stores it."""
    text = json.dumps(one, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def _as_yaml(content: Mapping[str, Any]) -> bytes:
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return f"{_HEADER}{text}".encode()


def write_tree(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write what is not there yet as it is to be; the files that were written.

    Raises `ConfigurationError` where the folder can't be written.
    """
    written = []
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
                written.append(path)
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: can't be written: {error.strerror}") from error
    return written
