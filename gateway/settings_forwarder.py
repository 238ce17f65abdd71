"""One `[[forwarder]]` of the settings: an InfluxDB that gets every reading.

It checks what is written; it connects to nothing.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.secret_file import read_secret
from ingest.forwarder.target import Target

_Word = Annotated[str, Field(min_length=1, max_length=200)]

_OF_THE_OTHER: Final = {
    "v1": {"bucket", "org", "token_file"},
    "v2": {"database", "username", "password_file"},
}


class ForwarderSettings(BaseModel):
    """Where, and how, an InfluxDB is written to."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    """By which its cursor is kept: another name is another forwarder."""
    api: Literal["v1", "v2"]
    url: str
    database: _Word = "preau"
    username: _Word | None = None
    password_file: Path | None = None
    bucket: _Word = "preau"
    org: _Word = "-"
    token_file: Path | None = None
    tls_ca: Path | None = None
    batch_points: Annotated[int, Field(ge=1, le=50_000)] = 5000
    batch_ms: Annotated[int, Field(ge=0, le=600_000)] = 1000
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30
    gzip: bool = True

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError as error:
            raise ValueError(f"is no address: {error}") from error
        if not usable or parts.query or parts.fragment:
            raise ValueError("must look like http://127.0.0.1:8086")
        if parts.username or parts.password:
            raise ValueError("must hold no password; use username and password_file")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _of_its_api(self) -> Self:
        other = {
            "v1": ("bucket", "org", "token_file"),
            "v2": ("database", "username", "password_file"),
        }
        for key in other[self.api]:
            if key in self.model_fields_set:
                raise ValueError(f"{key} is not for api = {self.api!r}")
        if (self.username is None) != (self.password_file is None):
            raise ValueError("give username and password_file, or neither")
        if self.tls_ca is not None and not self.url.startswith("https:"):
            raise ValueError("tls_ca needs an https address")
        return self

    def target(self) -> Target:
        """The server to write to. `ConfigurationError` if a file of a secret can't be used."""
        return Target(
            name=self.name,
            api=self.api,
            url=self.url,
            database=self.database if self.api == "v1" else self.bucket,
            org=self.org,
            username=self.username,
            password=_secret(self.password_file, f"forwarder {self.name}: password_file"),
            token=_secret(self.token_file, f"forwarder {self.name}: token_file"),
            tls_ca=self.tls_ca,
            timeout_s=self.timeout_s,
            gzip=self.gzip,
        )


def _secret(file: Path | None, key: str) -> str | None:
    return None if file is None else read_secret(file, key)
