"""What docs/agreements.md says of reviewing a change: its script and its pipelines, run in a repository with a remote."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.shell.documentation import blocks, page

DIFFED = Path(__file__).parent / "diffed"
CONFIG = Path(__file__).parents[2] / "config"
FILES = {block.name: block.text for block in blocks(page("agreements.md")) if block.mark == "pipeline"}
FEE = ('amount: "12000.00"', 'amount: "15000.00"')
FAULT = ("apiVersion", "apiVersoin")


def git(folder: Path, *arguments: str) -> str:
    named = ("-c", "user.name=sm", "-c", "user.email=sm@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *named, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Repository:
    """A clone in which a branch changes agreements; the remote has them as they were."""

    def __init__(self, folder: Path) -> None:
        remote = folder / "remote"
        shutil.copytree(CONFIG, remote / "agreements")
        (remote / "agreements" / "slamon.yaml").unlink()
        shutil.copy(DIFFED / "events.ndjson", remote)
        (remote / "review.sh").write_text(FILES["review.sh"], encoding="utf-8")
        git(remote, "init", "--quiet")
        git(remote, "add", "--all")
        git(remote, "commit", "--quiet", "--message", "as it was")
        git(folder, "clone", "--quiet", str(remote), "clone")
        self.folder = folder / "clone"
        git(self.folder, "switch", "--quiet", "--create", "change")
        bin_ = folder / "bin"
        bin_.mkdir()
        program = bin_ / "slamon"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m slamon "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        self.summary = folder / "summary.md"
        self.environment = {
            **os.environ,
            "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(self.folder, "rev-parse", "origin/main"),
            "GITHUB_BASE_REF": "main",
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }

    def change(self, old: str, new: str) -> None:
        file = self.folder / "agreements" / "agreements" / "acme.yaml"
        file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-ec", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (None, 0, "no term differs; 3 customers untouched"),
        (FEE, 1, "acme      1,200.00 EUR  1,500.00 EUR  +300.00 EUR"),
        (FAULT, 2, "unknown key `apiVersoin`"),
    ],
)
def test_the_job_for_gitlab_ends_as_it_says(
    change: tuple[str, str] | None, code: int, said: str, repository: Repository
) -> None:
    (job,) = yaml.safe_load(FILES[".gitlab-ci.yml"]).values()
    if change is not None:
        repository.change(*change)
    (line,) = job["script"]
    done = repository.run(line)
    assert (done.returncode, said in done.stdout) == (code, True), done.stdout + done.stderr
    assert job["allow_failure"] == {"exit_codes": [1]}
    assert git(repository.folder, "status", "--porcelain", "diff.txt") == ("" if code == 2 else "?? diff.txt")
    assert job["artifacts"]["paths"] == ["diff.txt"]


@pytest.mark.parametrize(("change", "fails"), [(FEE, False), (FAULT, True)])
def test_the_workflow_for_github_shows_what_changes_and_fails_at_faults(
    change: tuple[str, str], fails: bool, repository: Repository
) -> None:
    workflow: dict[Any, Any] = yaml.safe_load(FILES[".github/workflows/agreements.yml"])
    steps = [step["run"] for step in workflow["jobs"]["review"]["steps"] if "run" in step]
    installs, *ours = steps
    assert installs.startswith("pip install")
    repository.change(*change)
    codes = []
    for line in ours:
        done = repository.run(line)
        codes.append(done.returncode)
        if done.returncode:
            break
    assert (any(codes), repository.summary.exists()) == (fails, not fails)
    if not fails:
        assert "+300.00 EUR" in repository.summary.read_text(encoding="utf-8")
