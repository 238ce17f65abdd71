"""`preau backup`: one file with a whole copy of the store, the estate and the settings."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from gateway.commands.options import settings_option
from gateway.settings import DEFAULT_FILE, FILE_VARIABLE, Settings, load_settings
from ingest.archive.backup import ESTATE, ESTATE_FOLDER, SETTINGS, write_backup
from ingest.archive.disk import told_mb
from ingest.archive.store_copy import Progress
from ingest.errors import ConfigurationError
from ingest.estate.load import estate_files

_MIB: Final = 1024 * 1024
_TELL_EVERY_S: Final = 0.2


@click.command(
    epilog="Example: preau backup --settings /etc/preau/preau.toml /mnt/nas/preau-2026-11-23.tar",
    short_help="Copy store, estate and settings into one file.",
)
@settings_option
@click.argument("file", metavar="FILE.tar", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE.tar if it is already there.")
def command(settings_file: Path | None, file: Path, *, force: bool) -> None:
    """Copy the store, the estate and the settings into FILE.tar, also while the service runs.

    The copy is the store of one moment, checked as a whole before it counts. FILE.tar.gz is
    compressed. On the way there must be room for it twice. Only its owner may read the file.

    Files of secrets that the settings name (passwords, tokens, keys) are not in it.
    """
    settings = load_settings(settings_file)
    texts = {
        name: _content(path)
        for name, path in _texts(settings_path(settings_file), settings)
        if path.exists()
    }
    with told_progress() as progress:
        index = write_backup(
            file,
            settings.data.dir,
            texts,
            made_at=datetime.now(UTC),
            spare_bytes=_spare_bytes(settings, file),
            replace=force,
            progress=progress,
        )
    click.echo(f"written: {file} ({told_mb(file.stat().st_size)}): {', '.join(index.files)}")
    for name, what in ((ESTATE, "estate"), (SETTINGS, "settings")):
        if name not in index.files:
            click.echo(f"no {what} in it: no such file is in use here")
    click.echo("Not in it: passwords, tokens and keys. Keep the files that hold them elsewhere.")


def settings_path(given: Path | None) -> Path:
    """The settings file in use, whether it exists or not."""
    return given or Path(os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)


@contextmanager
def told_progress() -> Iterator[Progress]:
    """Tell on a terminal how far it is; meanwhile SIGTERM ends like Ctrl-C, which tidies up."""
    is_terminal = sys.stderr.isatty()
    wipe = "\r\x1b[K"
    next_at = 0.0

    def tell(doing: str, done: int, total: int) -> None:
        nonlocal next_at
        if is_terminal and time.monotonic() >= next_at:
            next_at = time.monotonic() + _TELL_EVERY_S
            how_far = f"{told_mb(done)} of {told_mb(total)}" if done else told_mb(total)
            click.echo(f"{wipe}{doing} {how_far}", nl=False, err=True)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield tell
    finally:
        signal.signal(signal.SIGTERM, before)
        if is_terminal:
            click.echo(wipe, nl=False, err=True)


def _texts(settings: Path, used: Settings) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file); whatever they are called here, a restore knows their places."""
    main, *others = estate_files(used.estate_file)
    yield SETTINGS, settings
    yield ESTATE, main
    for other in others:
        yield f"{ESTATE_FOLDER}/{other.name}", other


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from error


def _spare_bytes(settings: Settings, file: Path) -> int:
    """On the store's own disk a backup must not bring the gateway to stop or to let data go."""
    try:
        is_same_disk = settings.data.dir.stat().st_dev == file.parent.stat().st_dev
    except OSError:
        # Neither is made here: what is missing is told where it is opened.
        return 0
    return settings.store.min_free_mib * _MIB if is_same_disk else 0
