"""A Grafana over its HTTP interface, by `grafana-client`; what goes wrong becomes one line."""

from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import niquests
from grafana_client import GrafanaApi
from grafana_client.client import GrafanaException

from dashboards.push import GrafanaError
from ingest.errors import ConfigurationError

_T = TypeVar("_T")
_TIMEOUT_S: Final = 20.0


class GrafanaHttp:
    """See `dashboards.push.Grafana`. The token is that of a service account."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ConfigurationError(f"--url {url!r}: must look like https://grafana.trilport.fr")
        path = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._url = url
        self._api = GrafanaApi(
            token,
            protocol=parts.scheme,
            host=parts.hostname,
            port=parts.port,
            url_path_prefix=path,
            timeout=_TIMEOUT_S,
        )

    def version(self) -> str:
        """See `Grafana`. Asks for something that needs the token as well."""
        found = self._asked(lambda: self._api.client.GET("/frontend/settings"))
        build = found.get("buildInfo") if isinstance(found, dict) else None
        if not isinstance(build, dict) or "version" not in build:
            raise GrafanaError(f"{self._url} is no Grafana: it does not tell its version")
        self._asked(self._api.folder.get_all_folders)
        return str(build["version"])

    def data_source(self, name: str) -> dict[str, Any] | None:
        """See `Grafana`."""
        source = self._api.datasource
        by_uid: dict[str, Any] | None = self._found(lambda: source.get_datasource_by_uid(name))
        return by_uid or self._found(lambda: source.get_datasource_by_name(name))

    def health(self, uid: str) -> str | None:
        """See `Grafana`."""
        try:
            answer = self._asked(lambda: self._api.datasource.health(uid), words_alone=True)
        except GrafanaError as error:
            return str(error)
        return None if answer.get("status") == "OK" else str(answer.get("message"))

    def folder(self, uid: str) -> dict[str, Any] | None:
        """See `Grafana`."""
        return self._found(lambda: self._api.folder.get_folder(uid))

    def create_folder(self, uid: str, title: str) -> None:
        """See `Grafana`."""
        self._asked(lambda: self._api.folder.create_folder(title, uid))

    def delete_folder(self, uid: str) -> None:
        """See `Grafana`."""
        self._found(lambda: self._api.folder.delete_folder(uid))

    def dashboard(self, uid: str) -> dict[str, Any] | None:
        """See `Grafana`."""
        return self._found(lambda: self._api.dashboard.get_dashboard(uid))

    def save_dashboard(self, dashboard: dict[str, Any], folder_uid: str) -> None:
        """See `Grafana`."""
        content = {
            "dashboard": {**dashboard, "id": None},
            "folderUid": folder_uid,
            "overwrite": True,
            "message": "preau dashboards push",
        }
        self._asked(lambda: self._api.dashboard.update_dashboard(content))

    def delete_dashboard(self, uid: str) -> None:
        """See `Grafana`."""
        self._found(lambda: self._api.dashboard.delete_dashboard(uid))

    def rule_group(self, folder_uid: str, group: str) -> dict[str, Any] | None:
        """See `Grafana`."""
        return self._found(lambda: self._api.alertingprovisioning.get_rule_group(folder_uid, group))

    def save_rule_group(self, folder_uid: str, group: str, content: dict[str, Any]) -> None:
        """See `Grafana`."""
        self._asked(
            lambda: self._api.alertingprovisioning.update_rule_group(folder_uid, group, content)
        )

    def _found(self, call: Callable[[], _T]) -> _T | None:
        try:
            return call()
        except GrafanaException as error:
            if error.status_code == 404:
                return None
            raise self._told(error) from error
        except niquests.RequestException as error:
            raise self._away(error) from error

    def _asked(self, call: Callable[[], _T], *, words_alone: bool = False) -> _T:
        try:
            return call()
        except GrafanaException as error:
            if words_alone and error.status_code not in {401, 403}:
                response = error.response
                said = response.get("message") if isinstance(response, dict) else None
                raise GrafanaError(str(said or error.message)) from error
            raise self._told(error) from error
        except niquests.RequestException as error:
            raise self._away(error) from error

    def _told(self, error: GrafanaException) -> GrafanaError:
        if error.status_code == 0:
            return self._away(error)
        if error.status_code in {401, 403}:
            return GrafanaError(
                f"{self._url} refuses the token ({error.status_code}): it must be that of a "
                "service account with the role Editor, and not have ended"
            )
        return GrafanaError(f"{self._url} answers {error.status_code}: {error.message!s:.300}")

    def _away(self, error: Exception) -> GrafanaError:
        if isinstance(error, niquests.exceptions.JSONDecodeError):
            return GrafanaError(f"{self._url} is no Grafana: its answer is no JSON")
        return GrafanaError(f"{self._url} can't be reached: {type(error).__name__}: {error!s:.200}")
