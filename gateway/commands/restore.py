"""`preau restore`: puts back what `preau backup` has written, and overwrites nothing."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import click

from gateway.commands.backup import settings_path, told_progress
from gateway.commands.options import settings_option
from gateway.settings import Settings, SettingsError, load_settings
from ingest.archive.backup import (
    ESTATE,
    SETTINGS,
    Backup,
    read_backup,
    staged_store,
)
from ingest.archive.disk import flush_to_disk, new_file, sync_folder, told_errors
from ingest.errors import ConfigurationError
from ingest.estate.load import estate_files
from ingest.estate.problems import Problem, ProblemsError

_AFTERWARDS: Final = """\
Next: put back the files of secrets that the settings name, type: preau check{option}, and start \
the service.
What nodes were receipted after {made_at} they no longer hold; where an InfluxDB has it, \
`preau import` takes it back."""


@click.command(
    epilog="Example: preau restore --settings /etc/preau/preau.toml /mnt/nas/preau-2026-11-23.tar",
    short_help="Put back what `preau backup` has written.",
)
@settings_option
@click.argument("file", metavar="FILE.tar", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--estate-to",
    "elsewhere",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write estate and settings of the backup into DIR, and none to where they are used.",
)
def command(settings_file: Path | None, file: Path, elsewhere: Path | None) -> None:
    """Put back a store with its estate and settings from FILE.tar, as the service's user.

    The service must be stopped, and the data folder without a store. All of FILE.tar is checked
    before anything is put in place. Estate and settings that are there already are left. The data
    folder is that of the settings in use; where there are none, of those in FILE.tar.
    """
    with told_progress() as progress:
        backup = read_backup(file, progress)
        place = settings_path(settings_file)
        settings = _settings(settings_file, place, backup)
        if elsewhere is None:
            groups = _in_use(place, settings, backup)
        else:
            groups = [_elsewhere(elsewhere, backup)]
        with staged_store(backup, settings.data.dir, progress) as staged, ExitStack() as undo:
            for group in groups:
                group.write(undo)
            staged.put_in_place()
            undo.pop_all()
    click.echo(f"store: put back as {staged.place}, of {backup.index.made_at}")
    for group in groups:
        click.echo(group.told())
    option = f" --settings {settings_file}" if settings_file else ""
    click.echo(_AFTERWARDS.format(option=option, made_at=backup.index.made_at))


class _Group:
    """Files that belong together: put back only where that mixes with no others."""

    def __init__(self, what: str, place: Path, files: Mapping[Path, bytes], there: list[Path]):
        self._what = what
        self._place = place
        self._files = files
        with told_errors(place):
            there = [file for file in there if file.exists()]
            self.differs = any(file.read_bytes() != files.get(file) for file in there)
        missing = {file: text for file, text in files.items() if file not in there}
        self._to_write = {} if self.differs else missing

    def write(self, undo: ExitStack) -> None:
        """Write what is missing; `undo` removes it again."""
        for file, text in self._to_write.items():
            with told_errors(file):
                file.parent.mkdir(parents=True, exist_ok=True)
                part = file.with_name(f".{file.name}.part")
                part.unlink(missing_ok=True)
                undo.callback(part.unlink, missing_ok=True)
                with new_file(part) as stream:
                    stream.write(text)
                    flush_to_disk(stream)
                undo.callback(file.unlink, missing_ok=True)
                part.rename(file)
                sync_folder(file.parent)

    def told(self) -> str:
        """What became of it."""
        if not self._files:
            return f"{self._what}: none in the backup"
        if self.differs:
            return (
                f"{self._what}: {self._place} is there already, differs from the backup's, and was "
                "left; `tar -xf` takes the backup's out of its file"
            )
        if not self._to_write:
            return f"{self._what}: {self._place} is there already, the same as in the backup"
        return f"{self._what}: put back as {', '.join(str(file) for file in self._to_write)}"


def _settings(given: Path | None, place: Path, backup: Backup) -> Settings:
    """Those in use; where there is no file of them yet, as they will be with the backup's."""
    text = backup.texts.get(SETTINGS)
    with told_errors(place):
        if place.exists() or text is None:
            return load_settings(given)
        place.parent.mkdir(parents=True, exist_ok=True)
        # Paths in it are relative to where it stands.
        with NamedTemporaryFile(dir=place.parent, prefix=".", suffix=".part") as part:
            part.write(text)
            part.flush()
            try:
                return load_settings(Path(part.name))
            except ProblemsError as error:
                raise SettingsError(list(_renamed(error, part.name, backup.file))) from error


def _renamed(error: ProblemsError, name: str, archive: Path) -> Iterator[Problem]:
    for problem in error.problems:
        is_there = problem.file == name
        yield replace(problem, file=f"{archive}: {SETTINGS}") if is_there else problem


def _in_use(place: Path, settings: Settings, backup: Backup) -> list[_Group]:
    estate = settings.estate_file
    folder = estate.with_suffix(".d")
    files = {
        estate if name == ESTATE else folder / Path(name).name: text
        for name, text in backup.texts.items()
        if name != SETTINGS
    }
    own = {place: backup.texts[SETTINGS]} if SETTINGS in backup.texts else {}
    return [
        _Group("estate", estate, files, estate_files(estate)),
        _Group("settings", place, own, [place]),
    ]


def _elsewhere(folder: Path, backup: Backup) -> _Group:
    files = {folder / name: text for name, text in backup.texts.items()}
    there = [file for file in files if file.exists()]
    if there:
        raise ConfigurationError(f"--estate-to: {there[0]} is there already; choose another folder")
    return _Group("estate and settings", folder, files, [])
