"""The `preau` command: a tree of commands found through entry points, and how each of them ends.

A command comes from the entry-point group `preau.commands` and is named by its path: `node.list` is
`preau node list`. So this module imports no command, and one that can't be loaded hinders no other.
"""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final, NoReturn

import click

from ingest.errors import ConfigurationError, PreauError

GROUP: Final = "preau.commands"
EXIT_FAILED: Final = 1
EXIT_MISUSED: Final = 2
EXIT_INTERRUPTED: Final = 130
_LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)
_GROUP_HELP: Final = "Commands: {names}."

_Tree = dict[str, "EntryPoint | _Tree"]


class CommandTree(click.Group):
    """Commands by name, loaded when they are used or listed."""

    def __init__(self, tree: "_Tree", **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self._tree = tree

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in order, without loading any."""
        return sorted(self._tree)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name; one that says why, where it can't be loaded."""
        found = self._tree.get(cmd_name)
        if isinstance(found, dict):
            names = ", ".join(sorted(found))
            return CommandTree(found, name=cmd_name, help=_GROUP_HELP.format(names=names))
        return None if found is None else _loaded(cmd_name, found)


def _loaded(name: str, entry: EntryPoint) -> click.Command:
    try:
        command = entry.load()
    except Exception as error:  # noqa: BLE001 - whatever a plug-in does, the others go on
        return _broken(name, f"{type(error).__name__}: {error}")
    if not isinstance(command, click.Command):
        return _broken(name, f"{entry.value} is no click command")
    return command


def _broken(name: str, reason: str) -> click.Command:
    """A command that only tells why it can't be loaded, in one line."""
    reason = " ".join(reason.split())

    def fail() -> NoReturn:
        raise click.ClickException(f"the command {name!r} can't be loaded: {reason}")

    return click.Command(
        name,
        callback=fail,
        short_help=f"(can't be loaded: {reason})",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def tree_of(entries: Iterable[EntryPoint]) -> "_Tree":
    """Entry points by the parts of their names. A group wins over a command of the same name."""
    tree: _Tree = {}
    for entry in entries:
        *groups, name = entry.name.split(".")
        branch = tree
        for group in groups:
            inner = branch.get(group)
            if not isinstance(inner, dict):
                inner = branch[group] = {}
            branch = inner
        if not isinstance(branch.get(name), dict):
            branch[name] = entry
    return tree


def build(entries: Iterable[EntryPoint] | None = None) -> click.Group:
    """The whole command, of the installed entry points if none are given."""
    found = entry_points(group=GROUP) if entries is None else entries
    root = CommandTree(
        tree_of(found),
        name="preau",
        callback=set_up_logging,
        params=[
            click.Option(
                ["-v", "--verbose"],
                count=True,
                help="Tell what is being done; twice: every detail. Logs go to standard error.",
            )
        ],
        help="Préau: temperature and air of every classroom, on equipment that the town owns.",
        epilog="Example: preau init && preau check && preau run",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    return click.version_option(package_name="preau", message="%(prog)s %(version)s")(root)


def set_up_logging(verbose: int = 0) -> None:
    """Log to standard error, times in UTC: warnings, with 1 information, with 2 every detail."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    formatter.converter = time.gmtime
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    handler.setFormatter(formatter)
    level = _LEVELS[min(verbose, len(_LEVELS) - 1)]
    logging.basicConfig(level=level, handlers=[handler], force=True)


def run(arguments: Sequence[str] | None = None, command: click.Group | None = None) -> int:
    """Run `preau` with these arguments (else the process's) and return its exit status.

    0 done; 1 failed, or what was checked does not hold; 2 bad usage or configuration; 130
    interrupted. What goes wrong on purpose (`PreauError`) is one line each on standard error.
    """
    root = command or build()
    try:
        status = root.main(arguments, prog_name="preau", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        return EXIT_FAILED if isinstance(error.__cause__, EOFError) else EXIT_INTERRUPTED
    except Exception as error:
        ours = list(_purposeful(error))
        if not ours:
            raise
        for one in ours:
            _print_error(one)
        return EXIT_MISUSED if isinstance(ours[0], ConfigurationError) else EXIT_FAILED
    return status if isinstance(status, int) else 0


def _purposeful(error: BaseException) -> Iterator[PreauError]:
    """The errors of ours that `error` is or holds; none if it holds any other."""
    if isinstance(error, PreauError):
        yield error
    elif isinstance(error, BaseExceptionGroup) and error.split(PreauError)[1] is None:
        for inner in error.exceptions:
            yield from _purposeful(inner)


def _print_error(error: PreauError) -> None:
    for line in str(error).splitlines() or [type(error).__name__]:
        click.echo(f"preau: {line}", err=True)


def main() -> None:
    """What the installed script `preau` calls."""
    sys.exit(run())
