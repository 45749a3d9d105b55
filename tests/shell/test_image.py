"""The image, as far as it can be judged without a container engine: its build steps run here, in a folder instead of `/`.

Not covered: the base image itself, and the user `slamon` in it. That slamon does with nothing to write to and no capabilities
is watched in tests/end_to_end/test_probes.py.
"""

import ast
import importlib.util
import os
import re
import shutil
import struct
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from slamon.settings import HttpSettings

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OFFLINE = re.compile(
    r"NewConnectionError|Max retries|timed out|Temporary failure|No matching distribution found"
)


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    def words(self) -> list[str]:
        return [word for word in self.rest.split() if not word.startswith("--")]

    def exec_form(self) -> list[str]:
        words: list[str] = ast.literal_eval(self.rest)
        return words


def stages() -> list[list[Instruction]]:
    """The Dockerfile's instructions: what comes before the first FROM, then each stage."""
    text = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
    found: list[list[Instruction]] = [[]]
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            if word == "FROM":
                found.append([])
            found[-1].append(Instruction(word, rest.strip()))
    return found


HEAD, BUILD, FINAL = stages()


def only(stage: list[Instruction], word: str) -> Instruction:
    (found,) = [each for each in stage if each.word == word]
    return found


def from_context() -> list[str]:
    copies = [each for stage in (BUILD, FINAL) for each in stage if each.word in {"COPY", "ADD"}]
    return [source for copy in copies if "--from=" not in copy.rest for source in copy.words()[:-1]]


def test_everything_that_is_copied_is_there_and_nothing_else_is_sent_to_the_builder() -> None:
    assert [source for source in from_context() if not (ROOT / source).exists()] == []
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    assert sent == {source.partition("/")[0] for source in from_context()}


def test_the_base_image_is_one_release_of_the_oldest_python_slamon_supports() -> None:
    oldest = PROJECT["requires-python"].removeprefix(">=")
    default = only(HEAD, "ARG").rest.removeprefix("PYTHON_IMAGE=")
    assert re.fullmatch(rf"python:{re.escape(oldest)}\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{{64}})?", default)
    bases = [only(stage, "FROM").words()[0] for stage in (BUILD, FINAL)]
    assert bases == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]


def test_the_linter_of_dockerfiles_finds_nothing_and_would() -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            "NOT CHECKED: no hadolint; `make .venv/dev` installs it"
        )
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    careless = text.replace("RUN useradd", "RUN apt-get install curl && useradd")
    found = [
        subprocess.run([program, "--no-color", "-"], input=said, capture_output=True, text=True, check=False)
        for said in (text, careless)
    ]
    assert (found[0].returncode, found[0].stdout) == (0, "")
    assert found[1].returncode == 1
    assert "DL3008" in found[1].stdout, "versions of packages"


def test_the_container_is_not_root_and_runs_the_daemon_with_the_mounted_settings() -> None:
    user, group = only(FINAL, "USER").rest.split(":")
    assert (int(user), int(group)) == (10001, 10001)
    assert only(FINAL, "ENTRYPOINT").exec_form() == ["slamon"]
    assert only(FINAL, "CMD").exec_form() == ["run", "--config", "/etc/slamon/slamon.yaml"]
    http = HttpSettings()
    assert only(FINAL, "EXPOSE").words() == [str(http.port), str(http.liveness_port)]


def test_every_package_is_installed_by_hash_or_without_any_index() -> None:
    installs = [
        each.rest for each in BUILD if each.word == "RUN" and re.search(r"pip (install|wheel)", each.rest)
    ]
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or "--no-deps --no-" in install


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the image's /opt/slamon is, after its build stage has run."""
    root = tmp_path_factory.mktemp("image")
    (root / "src").mkdir()

    def here(text: str) -> str:
        return re.sub(r"(?<![\w./])/(?=opt/|dist\b|src\b)", f"{root}/", text)

    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for each in BUILD:
        if each.word == "COPY":
            *sources, target = each.words()
            (root / "src" / target).mkdir(parents=True, exist_ok=True)
            for source in sources:
                inside = (
                    "/." if (ROOT / source).is_dir() else ""
                )  # COPY takes what is in a folder, not the folder
                subprocess.run(["cp", "-r", f"{ROOT / source}{inside}", root / "src" / target], check=True)
        elif each.word == "RUN":
            done = subprocess.run(
                ["sh", "-c", here(each.rest)],
                cwd=root / "src",
                env={**os.environ, "PATH": path, "PYTHONPATH": ""},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode and OFFLINE.search(done.stdout) and os.environ.get("CI") != "true":
                pytest.skip(
                    f"`{each.rest}` found no package index; see that pip reaches one: {done.stdout[-300:]}"
                )
            assert done.returncode == 0, f"RUN {each.rest}\n{done.stdout}"
    return root / "opt" / "slamon"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """As in the container: nothing of this environment."""
    return subprocess.run(
        command, cwd="/", env={"PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, check=False
    )


def test_the_installed_slamon_starts(built: Path) -> None:
    started = run(built / "bin" / "slamon", "--help")
    assert started.returncode == 0, started.stderr
    assert " run " in started.stdout


def test_every_module_is_importable_with_the_locked_packages_alone(built: Path) -> None:
    program = """
import importlib, pkgutil, slamon
for module in pkgutil.walk_packages(slamon.__path__, "slamon."):
    if not module.name.startswith(("slamon.demo", "slamon.__main__")):
        importlib.import_module(module.name)
"""
    imported = run(built / "bin" / "python", "-c", program)
    assert imported.returncode == 0, imported.stderr


def test_the_wheel_holds_every_file_of_the_package(built: Path) -> None:
    (installed,) = built.glob("lib/python*/site-packages/slamon")
    ours = {file.relative_to(ROOT / "slamon") for file in (ROOT / "slamon").rglob("*") if file.is_file()}
    missing = {file for file in ours if "__pycache__" not in file.parts and not (installed / file).is_file()}
    assert missing == set()


def test_all_code_is_compiled_so_that_a_start_compiles_nothing(built: Path) -> None:
    """By the time and size of each source, as Python itself looks at it."""
    sources = list(built.glob("lib/python*/site-packages/slamon/**/*.py"))
    assert len(sources) > 100
    for source in sources:
        compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        stat = source.stat()
        assert struct.unpack("<II", compiled[8:16]) == (int(stat.st_mtime), stat.st_size), source


def test_nothing_in_the_image_can_install_packages(built: Path) -> None:
    assert run(built / "bin" / "python", "-c", "import pip").returncode == 1
