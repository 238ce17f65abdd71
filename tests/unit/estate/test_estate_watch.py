"""The estate of a running service: a valid change comes into force, another does not."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingest.estate.load import EstateError
from ingest.estate.model import Estate
from ingest.estate.watch import EstateWatch
from tests.servers import eventually

SITE = '[[site]]\nid = "{0}"\nname = "{0}"\n'


@asynccontextmanager
async def watching(watch: EstateWatch) -> AsyncIterator[asyncio.Queue[Estate]]:
    """The loop, and what it tells."""
    told: asyncio.Queue[Estate] = asyncio.Queue()
    watch.on_change(told.put_nowait)
    task = asyncio.create_task(watch.watch_loop(0.01))
    try:
        yield told
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until_refused(watch: EstateWatch) -> EstateError:
    await eventually(lambda: watch.problem is not None, every_s=0.01)
    assert watch.problem is not None
    return watch.problem


def names(estate: Estate) -> list[str]:
    return [site.id for site in estate.sites]


async def test_a_changed_file_comes_into_force_and_is_told(tmp_path: Path):
    file = tmp_path / "estate.toml"
    file.write_text(SITE.format("a"))
    watch = EstateWatch(file)

    async with watching(watch) as told, asyncio.timeout(10):
        file.write_text(SITE.format("a") + SITE.format("b"))
        assert names(await told.get()) == ["a", "b"]
    assert names(watch.current) == ["a", "b"]


async def test_a_new_file_in_the_folder_comes_into_force(tmp_path: Path):
    file = tmp_path / "estate.toml"
    file.write_text("")
    watch = EstateWatch(file)

    async with watching(watch) as told, asyncio.timeout(10):
        (tmp_path / "estate.d").mkdir()
        (tmp_path / "estate.d" / "b.toml").write_text(SITE.format("b"))
        assert names(await told.get()) == ["b"]


async def test_an_invalid_change_is_refused_and_logged_until_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    file = tmp_path / "estate.toml"
    file.write_text(SITE.format("a"))
    watch = EstateWatch(file)

    async with watching(watch) as told:
        file.write_text(SITE.format("a") + "area = 3\n")
        problem = await until_refused(watch)
        assert names(watch.current) == ["a"]
        assert problem.problems[0].line == 4
        assert f"{file}:4: site[0].area: is not known here" in caplog.text
        assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2

        file.write_text(SITE.format("mended"))
        async with asyncio.timeout(10):
            assert names(await told.get()) == ["mended"]
    assert watch.problem is None


async def test_a_file_that_goes_away_leaves_the_last_estate_in_force(tmp_path: Path):
    file = tmp_path / "estate.toml"
    file.write_text(SITE.format("a"))
    watch = EstateWatch(file)

    async with watching(watch):
        file.unlink()
        assert "no such file" in str(await until_refused(watch))
    assert names(watch.current) == ["a"]


async def test_without_a_file_the_estate_is_empty_until_there_is_one(tmp_path: Path):
    file = tmp_path / "estate.toml"
    watch = EstateWatch(file)
    assert watch.current == Estate()

    async with watching(watch) as told, asyncio.timeout(10):
        file.write_text(SITE.format("a"))
        assert names(await told.get()) == ["a"]


async def test_a_change_that_says_the_same_is_not_told(tmp_path: Path):
    file = tmp_path / "estate.toml"
    file.write_text(SITE.format("a"))
    watch = EstateWatch(file)
    told: list[Estate] = []
    watch.on_change(told.append)

    file.write_text("# a comment\n" + SITE.format("a"))

    assert await watch.reload()
    assert told == []


def test_a_service_does_not_start_on_an_invalid_estate(tmp_path: Path):
    file = tmp_path / "estate.toml"
    file.write_text("[[site]]\n")

    with pytest.raises(EstateError, match="is missing"):
        EstateWatch(file)


def test_a_folder_without_its_main_file_is_a_mistake(tmp_path: Path):
    (tmp_path / "estate.d").mkdir()
    (tmp_path / "estate.d" / "a.toml").write_text(SITE.format("a"))

    with pytest.raises(EstateError, match=r"estate\.toml: there is no such file"):
        EstateWatch(tmp_path / "estate.toml")
