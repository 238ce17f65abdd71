"""What lets a node in at the broker: its own account at the town's Mosquitto, or what the embedded
broker has for all.

A new password is in the clear in one file of its owner's until the board holds it. Boards it does
not know.
"""

from dataclasses import dataclass, field
from pathlib import Path

from gateway.atomic_file import make_folder, read_private, remove_file, write_atomically
from gateway.mosquitto.accounts import Accounts
from gateway.mosquitto.folder import CREDENTIALS_FOLDER
from gateway.mosquitto.passwords import is_password, matches, new_password
from gateway.mosquitto.reload import reload_broker


@dataclass(frozen=True, slots=True)
class Account:
    """`user` and `password` as the node gives them. `is_new`: the board did not have it yet."""

    user: str | None
    password: str | None = field(repr=False)
    is_new: bool


@dataclass(frozen=True, slots=True)
class TownAccounts:
    """The accounts in the folder of `preau broker config`."""

    folder: Path
    pid_file: Path | None

    def of(self, node: str, known: str | None) -> Account:
        """The node's account: the one whose password it has (`known`), else a new one.

        Mosquitto has been told of a new one where its process id is known. Called again before
        `handed_over` it gives the same. Raises `ConfigurationError`.
        """
        make_folder(self._credentials, is_private=True)
        with Accounts.changing(self.folder, self._credentials) as accounts:
            hashed = accounts.hashes.get(node, "")
            if known is not None and matches(known, hashed):
                return Account(node, known, is_new=False)
            password = self._waiting(accounts, node) or new_password()
            if not matches(password, hashed):
                write_atomically(accounts.password_file(node), f"{password}\n".encode())
                accounts.set_password(node, password)
                accounts.save()
        if self.pid_file is not None:
            reload_broker(self.pid_file)
        return Account(node, password, is_new=True)

    def handed_over(self, node: str) -> None:
        """The board has it: the clear text goes."""
        remove_file(self._credentials / f"{node}.password")

    @property
    def _credentials(self) -> Path:
        return self.folder / CREDENTIALS_FOLDER

    def _waiting(self, accounts: Accounts, node: str) -> str | None:
        """A password that was made for the node and has not reached it."""
        file = accounts.password_file(node)
        if not file.exists():
            return None
        text = read_private(file).decode("ascii", "replace").strip()
        return text if is_password(text) else None
