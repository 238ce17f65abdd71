"""The settings of a gateway: `preau.toml`, then the environment, then what a command overrides.

Each later one wins. All settings are checked at once and never change afterwards; a mistake is told
with the place it comes from. What the estate holds is not set here.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableEnvironmentError

from gateway.endpoint import Endpoint, is_loopback, parse_endpoint, public_address, valid_host
from gateway.mqtt.address import BrokerAddress
from gateway.secret_file import read_secret
from gateway.settings_forwarder import ForwarderSettings
from gateway.settings_nodes import MicroPythonSettings, NodesSettings
from gateway.settings_sources import DELIMITER, PREFIX, GivenSettings, Paths
from ingest.estate.problems import Problem, ProblemsError, told_errors
from ingest.estate.source import Source, read_source

__all__ = [
    "Endpoint",
    "Settings",
    "SettingsError",
    "load_settings",
    "parse_endpoint",
    "public_address",
]

DEFAULT_FILE: Final = Path("preau.toml")
KEPT_DAYS: Final = 400
"""The local window where an InfluxDB has everything: the page's year, and a month more."""
FILE_VARIABLE: Final = "PREAU_SETTINGS"
# Paths in preau.toml are relative to it, and so are these, where it does not name them.
_PATHS: Final[Paths] = MappingProxyType(
    {
        ("data", "dir"): "preau-data",
        ("estate", "file"): "estate.toml",
        ("pki", "dir"): "preau-pki",
        ("broker", "password_file"): None,
        ("broker", "tls_ca"): None,
        ("forwarder", "password_file"): None,
        ("forwarder", "token_file"): None,
        ("forwarder", "tls_ca"): None,
        ("nodes", "wifi_password_file"): None,
        ("nodes", "mosquitto_dir"): None,
        ("nodes", "mosquitto_pid_file"): None,
        ("micropython", "file"): None,
    }
)

_Host = Annotated[str, AfterValidator(valid_host)]


class SettingsError(ProblemsError):
    """The settings can't be used as they stand; `problems` tells why."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSettings(_Section):
    """Where everything lies that the gateway keeps."""

    dir: Path = Path("preau-data")


class BrokerSettings(_Section):
    """The MQTT broker: the embedded one, or, where a host is given, the one that runs there."""

    embedded: bool = True
    host: _Host = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    username: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    tls_ca: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _embedded_unless_there_is_another(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and "embedded" not in values:
            return {**values, "embedded": "host" not in values}
        return values

    @field_validator("password", "password_file")
    @classmethod
    def _for_a_username(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and "username" in info.data and info.data["username"] is None:
            raise ValueError("needs broker.username")
        return value

    @field_validator("password_file")
    @classmethod
    def _one_password(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("password") is not None:
            raise ValueError("give broker.password in the environment or this, not both")
        return value

    @field_validator("tls_ca")
    @classmethod
    def _of_another_broker(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("embedded"):
            raise ValueError("the embedded broker has no TLS; set broker.embedded = false")
        return value

    @model_validator(mode="after")
    def _no_open_broker(self) -> "BrokerSettings":
        has_password = self.password is not None or self.password_file is not None
        if self.embedded and not is_loopback(self.host) and not (self.username and has_password):
            raise ValueError(
                f"on {self.host!r} the embedded broker needs broker.username and "
                "broker.password_file (or PREAU_BROKER__PASSWORD), else anyone on that "
                "network could publish"
            )
        return self

    def address(self) -> BrokerAddress:
        """Host, port and credentials. `ConfigurationError` if the password file can't be used."""
        password = self.password.get_secret_value() if self.password else None
        if self.password_file is not None:
            password = read_secret(self.password_file, "broker.password_file")
        return BrokerAddress(self.host, self.port, self.username, password, self.tls_ca)


class HttpSettings(_Section):
    """Where the page listens, and who may read it."""

    host: _Host = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    read_without_account: bool = Field(default_factory=lambda http: is_loopback(http["host"]))
    """Unless it is set: yes where only this machine can reach the page."""
    public_url: Annotated[str, AfterValidator(public_address)] | None = None
    """Where others find the page, behind whatever stands before it: for labels."""


class StoreSettings(_Section):
    """How the local store groups commits, and for how long it keeps what."""

    group_ms: Annotated[int, Field(ge=0, le=1000)] = 20
    group_packs: Annotated[int, Field(ge=1, le=20_000)] = 2000
    keep_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    """Unless it is set: for ever (0) without a forwarder, `KEPT_DAYS` with one."""
    min_free_mib: Annotated[int, Field(ge=0, le=1_000_000)] = 256
    ballast_mib: Annotated[int, Field(ge=0, le=10_000)] = 64
    dead_letters_keep_days: Annotated[int, Field(ge=0, le=36_500)] = 0


class ShareSettings(_Section):
    """Which part of the estate this gateway serves, where several share one broker."""

    sites: tuple[str, ...] = ()
    strangers: bool = Field(default_factory=lambda share: not share["sites"])
    """Take in nodes that nobody placed; unless it is set, yes where all sites are served."""


class FirmwareSettings(_Section):
    """How nodes fetch their firmware."""

    url: Annotated[str, Field(pattern=r"^http://[A-Za-z0-9.:\[\]-]{1,120}/?$")] | None = None
    """Where they reach this gateway's page, plain HTTP; unless it is set, `http.host` itself."""


class EstateSettings(_Section):
    """Where the sites, rooms and nodes are written down."""

    file: Path = Path("estate.toml")


class PkiSettings(_Section):
    """Where the town's certificate authority lies. Only `preau pki` and its like read it."""

    dir: Path = Path("preau-pki")


class UiSettings(_Section):
    """The page's language where a browser asks for none that we have."""

    language: Literal["fr", "en"] = "fr"


class TimeSettings(_Section):
    """The time zone of the estate: of its days, hours and pages."""

    zone: str = "Europe/Paris"

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("is no time zone known here, such as Europe/Paris") from error
        return value


class Settings(_Section):
    """All settings of a gateway, frozen. Made by `load_settings`."""

    data: DataSettings = DataSettings()
    broker: BrokerSettings = BrokerSettings()
    http: HttpSettings = HttpSettings()
    store: StoreSettings = StoreSettings()
    forwarder: tuple[ForwarderSettings, ...] = ()
    share: ShareSettings = ShareSettings()
    estate: EstateSettings = EstateSettings()
    firmware: FirmwareSettings = FirmwareSettings()
    pki: PkiSettings = PkiSettings()
    nodes: NodesSettings = NodesSettings()
    micropython: tuple[MicroPythonSettings, ...] = ()
    ui: UiSettings = UiSettings()
    time: TimeSettings = TimeSettings()

    @field_validator("forwarder")
    @classmethod
    def _named_once(cls, value: tuple[ForwarderSettings, ...]) -> tuple[ForwarderSettings, ...]:
        names = [forwarder.name for forwarder in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is the name of several; each needs one of its own")
        return value

    @field_validator("micropython")
    @classmethod
    def _a_chip_once(
        cls, value: tuple[MicroPythonSettings, ...]
    ) -> tuple[MicroPythonSettings, ...]:
        chips = [image.chip for image in value]
        twice = sorted({chip for chip in chips if chips.count(chip) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} has several images; each chip has one")
        return value

    @property
    def keep_days(self) -> int:
        """For how many days readings stay in the local store; 0 is for ever."""
        if self.store.keep_days is not None:
            return self.store.keep_days
        return KEPT_DAYS if self.forwarder else 0

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the estate."""
        return ZoneInfo(self.time.zone)

    @property
    def estate_file(self) -> Path:
        """The estate's main file."""
        return self.estate.file


class _Environment(Settings, BaseSettings):
    """How the variables are called; never built."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, env_ignore_empty=True
    )


def load_settings(
    path: Path | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Read the settings, each later place winning over the earlier.

    First a file: `path`, else what PREAU_SETTINGS names, else `preau.toml` of this folder, if any.
    Then the environment. Then `overrides`, by section and key; `None` stands for "not given". A
    path in the file is relative to the file, one from elsewhere to the working folder.

    Raises `SettingsError` with every problem found.
    """
    given = GivenSettings(
        model=Settings,
        source=_source(path),
        environment=_environment(),
        overrides=_without_none(overrides or {}),
        paths=_PATHS,
    )
    problems = [*given.misplaced_secrets(), *given.unknown_variables()]
    try:
        settings = Settings.model_validate(given.merged())
    except ValidationError as refused:
        errors = told_errors(refused.errors(include_url=False))
        problems += [given.problem(error) for error in errors]
        raise SettingsError(problems) from refused
    if problems:
        raise SettingsError(problems)
    return settings


def _source(path: Path | None) -> Source | None:
    named = path or os.environ.get(FILE_VARIABLE)
    if not named and not DEFAULT_FILE.exists():
        return None
    try:
        return read_source(Path(named or DEFAULT_FILE))
    except ProblemsError as error:
        raise SettingsError(error.problems) from error


def _environment() -> dict[str, Any]:
    try:
        return EnvSettingsSource(_Environment)()
    except UnreadableEnvironmentError as error:
        reason = f"{error}; set single values, such as PREAU_HTTP__PORT"
        raise SettingsError([Problem("environment", None, "", reason)]) from error


def _without_none(overrides: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    sections = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in overrides.items()
    }
    return {section: values for section, values in sections.items() if values}
