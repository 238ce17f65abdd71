"""An InfluxDB that readings are shipped to: where it is, and as whom to write."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Target:
    """One database. `database` is the bucket for v2. Secrets are not shown by `repr`."""

    name: str
    api: Literal["v1", "v2"]
    url: str
    database: str
    org: str = "-"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    tls_ca: Path | None = None
    timeout_s: float = 30
    gzip: bool = True
