"""Reads a Dockerfile and carries its steps out without Docker, in a folder that stands for `/`.

It knows what ours needs and refuses the rest, so that a step can't be left out in silence: FROM,
WORKDIR, COPY of files and folders, RUN in its one-line form, ENV NAME=value, and what only says how
a container is started. Each stage has a root of its own; base images are the machine's own Python.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

_OURS = ("/opt/", "/src", "/var/lib/preau", "/etc/preau")
_TELLS_ONLY = {"USER", "EXPOSE", "ENTRYPOINT", "CMD"}


@dataclass
class Stage:
    """One stage: where its `/` lies, and how a step of it runs."""

    root: Path
    base: str
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    says: dict[str, str] = field(default_factory=dict)

    def path(self, inside: str) -> Path:
        """Where a path of the container lies."""
        whole = inside if inside.startswith("/") else f"{self.workdir.rstrip('/')}/{inside}"
        return self.root / whole.lstrip("/")

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell. Paths of ours are those below the root."""
        for ours in _OURS:
            command = command.replace(f" {ours}", f" {self.root}{ours}")
            if command.startswith(ours):
                command = f"{self.root}{command}"
        environment = {"HOME": str(self.root), "PIP_NO_INPUT": "1", "LANG": "C.UTF-8"}
        # Where packages are found is said by this machine, not by the Dockerfile.
        environment |= {
            k: v for k, v in os.environ.items() if k.startswith(("PIP_INDEX", "PIP_TRU"))
        }
        here = f"{self.root}/bin:/usr/local/bin:/usr/bin:/bin"
        mine = self.environment.get("PATH", "").replace("/opt/", f"{self.root}/opt/")
        environment["PATH"] = f"{mine}:{here}" if mine else here
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.path("."),
            env=environment | {k: v for k, v in self.environment.items() if k != "PATH"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


def steps_of(dockerfile: Path) -> list[tuple[str, str]]:
    """Instruction and what follows it. A step stands on one line."""
    steps = []
    for line in dockerfile.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            assert not line.endswith("\\"), f"a step over several lines: {line}"
            word, _, rest = line.partition(" ")
            steps.append((word, rest))
    return steps


def build(dockerfile: Path, context: Path, root: Path) -> Stage:
    """Carry every step out; the last stage. A step that fails, fails the test with its words."""
    stages: dict[str, Stage] = {}
    stage = Stage(root, "")
    for word, rest in steps_of(dockerfile):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = Stage(root / (name or "last"), base)
            stages[name or "last"] = stage
            _give_python(stage.root)
        elif word == "WORKDIR":
            stage.workdir = rest
            stage.path(".").mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            _copy(stage, rest, context, stages)
        elif word == "RUN":
            done = stage.run(rest)
            assert done.returncode == 0, f"RUN {rest}\n{done.stdout}{done.stderr}"
        elif word == "ENV":
            name, _, value = rest.partition("=")
            stage.environment[name] = value
        else:
            assert word in _TELLS_ONLY, f"{word}: the test does not know that instruction"
            stage.says[word] = rest
    return stage


def _give_python(root: Path) -> None:
    """What the base image has: `python` on the path, and the folders of any system."""
    for folder in ("bin", "opt", "var/lib", "etc"):
        (root / folder).mkdir(parents=True)
    (root / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")


def _copy(stage: Stage, rest: str, context: Path, stages: dict[str, Stage]) -> None:
    words = rest.split()
    source_root = context
    if words[0].startswith("--from="):
        source_root = stages[words.pop(0).removeprefix("--from=")].root
    *sources, target = words
    for source in sources:
        found = source_root / source.lstrip("/")
        assert found.exists(), f"COPY {source}: is not in the build's context"
        place = stage.path(target)
        if found.is_dir():
            shutil.copytree(found, place, symlinks=True, dirs_exist_ok=True)
        else:
            place = place / found.name if target.endswith("/") else place
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, place)
    if source_root is not context:
        _move_environment(stages, stage)


def _move_environment(stages: dict[str, Stage], stage: Stage) -> None:
    """In both stages it lies at the same path; here it does not, and scripts name theirs."""
    for script in stage.root.glob("opt/*/bin/*"):
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        for other in stages.values():
            content = content.replace(f"{other.root}/".encode(), f"{stage.root}/".encode())
        script.write_bytes(content)
