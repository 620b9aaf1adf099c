"""A platform of its own for whole journeys: the command line in child processes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = Path(os.environ.get("LIKENESS_HOME", ROOT / "var")) / "weights"


def offline() -> tuple[str, ...]:
    """What to put before a command so that it has no network at all; empty where that is not allowed."""
    prefix = ("unshare", "--net")
    if shutil.which("unshare") is None:
        return ()
    return (
        prefix if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0 else ()
    )


OFFLINE = offline()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command gave: exit code, its JSON document, and what it said on the way."""

    code: int
    document: dict[str, Any]
    progress: str


@dataclass(slots=True)
class Running:
    """A platform that serves: its address, and keys of the demo accounts."""

    url: str
    home: Path
    keys: dict[str, str]

    def client(self, role: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys[role]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def pid_of(self, part: str) -> int:
        return int(json.loads((self.home / "stack.json").read_text())["pids"][part])


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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def out(platform: Platform) -> Path:
    """Where the demo writes."""
    return platform.home.parent / "demo"


@pytest.fixture(scope="session")
def demo(platform: Platform, out: Path) -> Answer:
    """One run of the demonstration for all journeys; its people and licences stay."""
    words = ("demo", "--out", str(out), "--teller-format", "preview")
    answer = platform.run(*words, prefix=OFFLINE)
    assert answer.code == 0, answer.progress[-3000:]
    return answer


@pytest.fixture
def running(platform: Platform, demo: Answer) -> Iterator[Running]:
    """The whole stack of the demo's home, serving."""
    keys = {
        role: platform.run("accounts", "key", f"{role}@demo.example").document["key"]
        for role in ("requester", "legal", "auditor", "operator")
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (platform.home.parent / "up.log").open("wb")
    process = subprocess.Popen(
        platform.command("up"),
        env={**platform.environment, "LIKENESS_PORT": str(port)},
        stdout=log,
        stderr=log,
    )
    stack = Running(f"http://127.0.0.1:{port}", platform.home, keys)
    try:
        wait_for(lambda: answers(stack.url), timeout_s=60)
        yield stack
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def wait_for(true: Callable[[], object], *, timeout_s: float) -> float:
    """Seconds until it was true; fails when it never is."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < timeout_s, "it did not happen in time"
        time.sleep(0.1)
    return time.monotonic() - began
