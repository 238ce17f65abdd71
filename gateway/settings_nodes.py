"""What nodes are told when they are flashed: `[nodes]` and `[[micropython]]` of the settings.

It checks what is written; it opens no file.
"""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.endpoint import valid_host


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NodesSettings(_Table):
    """How nodes reach the broker, and where their accounts there are kept."""

    wifi_ssid: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    wifi_password_file: Path | None = None
    """Without it the network is open."""
    broker_host: Annotated[str, AfterValidator(valid_host)] | None = None
    """As nodes find it; unless it is set, `broker.host`."""
    broker_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    mosquitto_dir: Path | None = None
    """The folder of `preau broker config`."""
    mosquitto_pid_file: Path | None = None

    @field_validator("wifi_password_file")
    @classmethod
    def _of_a_network(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("wifi_ssid") is None:
            raise ValueError("needs nodes.wifi_ssid")
        return value


class MicroPythonSettings(_Table):
    """The image of one chip that this town has chosen."""

    chip: Annotated[str, Field(pattern=r"^esp32[a-z0-9]{0,3}$")]
    file: Path
    """Where it lies, or, with `url`, where it goes."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    url: str | None = None

    @model_validator(mode="after")
    def _http(self) -> Self:
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError("url must begin with https://")
        return self
