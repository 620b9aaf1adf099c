"""A platform of its own for whole journeys: the command line in child processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = Path(os.environ.get("LIKENESS_HOME", ROOT / "var")) / "weights"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command gave: exit code, its JSON document, and what it said on the way."""

    code: int
    document: dict[str, Any]
    progress: str


@dataclass(frozen=True, slots=True)
class Platform:
    """One home directory, driven by the command line."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LIKENESS_", "DJANGO_"))
        }
        return {**kept, "LIKENESS_HOME": str(self.home), "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "likeness.cli.main", *words]

    def run(self, *words: str, prefix: tuple[str, ...] = (), timeout_s: float = 280) -> Answer:
        done = subprocess.run(
            [*prefix, *self.command(*words), "--json"],
            env=self.environment,
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        try:
            document = json.loads(done.stdout)
        except json.JSONDecodeError:
            pytest.fail(f"{words[0]} printed no JSON document: {done.stdout[-500:]!r} {done.stderr[-2000:]}")
        return Answer(done.returncode, document, done.stderr)

    def stop(self) -> None:
        subprocess.run(
            self.command("stop"), env=self.environment, capture_output=True, timeout=60, check=False
        )


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A fresh home with the pulled weights; removed at the end."""
    if not (WEIGHTS / "centerface.onnx").exists():
        pytest.skip("the starter weights are not pulled: run `likeness weights pull starter`")
    folder = Path(tempfile.mkdtemp(prefix="lkj-", dir="/tmp"))
    folder.chmod(0o711)
    home = folder / "home"
    home.mkdir(mode=0o711)
    shutil.copytree(WEIGHTS, home / "weights")
    made = Platform(home)
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)
