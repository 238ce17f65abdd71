"""The steps of the image's Dockerfile, carried out without Docker in a clean folder."""

import fnmatch
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.dockerfile import Stage, build, steps_of

DOCKERFILE = Path("docker/Dockerfile")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `docker build` is sent: what git knows, as far as the .dockerignore lets it through."""
    folder = tmp_path_factory.mktemp("context")
    let_through = [
        line.removeprefix("!")
        for line in Path("docker/Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.splitlines():
        path = Path(name)
        parents = {str(one) for one in (path, *path.parents)}
        if path.exists() and parents & set(let_through):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / path)
    return folder


@pytest.fixture(scope="module")
def image(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return build(DOCKERFILE, context, tmp_path_factory.mktemp("image"))


def said(image: Stage, command: str) -> str:
    done = image.run(command)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(400)
def test_the_command_runs_in_the_image(image: Stage):
    assert image.says["ENTRYPOINT"] == '["preau"]'
    assert "influxdb" in said(image, "preau --help")
    assert "every node is to be placed" in said(image, "preau check")


@pytest.mark.timeout(400)
def test_what_compose_starts_is_in_the_image(image: Stage):
    """Each command of ours that a compose file names, with the packages of run.txt alone."""
    texts = "".join(path.read_text() for path in Path("docker").glob("compose*.yaml"))
    for command in ("influxdb setup", "demo-town", "run"):
        assert all(word in texts or command == "run" for word in command.split())
        assert "Example:" in said(image, f"preau {command} --help")


@pytest.mark.timeout(400)
def test_the_image_holds_what_init_writes(image: Stage):
    said(image, "preau init --docker stack --demo --second-gateway")
    stack = image.path("stack")

    assert (stack / "compose.yaml").read_text() == Path("docker/compose.yaml").read_text()
    assert len(list((stack / "grafana" / "dashboards").glob("*.json"))) == 5
    # From a wheel there are no sources to build the image from: compose asks for them.
    assert "\nPREAU_SOURCES=\n" in (stack / ".env").read_text()


@pytest.mark.timeout(400)
def test_nothing_of_the_tests_tools_is_in_the_image(image: Stage):
    packages = said(image, "python -m pip list")
    assert not {"pytest", "hatchling", "playwright"} & set(packages.split())


@pytest.mark.timeout(400)
def test_its_data_folder_is_open_to_whoever_it_runs_as(image: Stage):
    assert image.path("/var/lib/preau").stat().st_mode & 0o7777 == 0o1777
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", image.says["USER"])


def test_a_missing_file_is_found(context: Path, tmp_path: Path):
    """The test above would fail without the lock file, or without an area."""
    for missing in ("requirements/run.txt", "dashboards"):
        broken = shutil.copytree(context, tmp_path / missing.replace("/", "-"))
        path = broken / missing
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        with pytest.raises(AssertionError, match=rf"COPY {missing}: is not in the build's context"):
            build(_copies_only(tmp_path), broken, tmp_path / f"{path.name}-image")


def _copies_only(folder: Path) -> Path:
    file = folder / "Dockerfile"
    kept = [
        f"{word} {rest}"
        for word, rest in steps_of(DOCKERFILE)
        if word in ("FROM", "COPY", "WORKDIR")
    ]
    file.write_text("\n".join(line for line in kept if "--from=" not in line))
    return file


def test_everything_is_pinned():
    text = DOCKERFILE.read_text()
    assert all(
        fnmatch.fnmatch(base, "FROM python:3.*.*-slim-*") for base in re.findall(r"FROM .*", text)
    )
    installs = re.findall(r"pip install .*", text)
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)
    locked = Path("requirements/all.txt").read_text()
    for name in ("run.txt", "build.txt"):
        for pin in re.findall(r"^\S+==\S+", Path("requirements", name).read_text(), re.MULTILINE):
            assert pin in locked, f"{name}: {pin} is not what was tested"
