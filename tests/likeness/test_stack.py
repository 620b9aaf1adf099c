"""The real local stack: every process, killed and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from likeness import processes, stack
from likeness.embedded.postgres import EmbeddedPostgres
from likeness.errors import StackError
from likeness.stack import Part, Stack

HOLD = """
import sys
from likeness import env
env.use_settings()
import django
django.setup()
from pathlib import Path
from likeness.stack import Stack
with Stack(Path(sys.argv[1]), port=int(sys.argv[2])) as held:
    held.wait(lambda: print("up", flush=True))
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lk-st-", dir="/tmp") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Stack]:
    with Stack(folder / "home", port=stack.free_port()) as made:
        yield made


def eventually(fact: Callable[[], object], within_s: float = 30.0) -> bool:
    until = time.monotonic() + within_s
    while not fact():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def log(made: Stack, part: Part) -> str:
    return (made.home / "logs" / f"{part}.log").read_text(errors="replace")


def get(url: str) -> int:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
        return int(answer.status)


def test_every_part_runs_and_the_web_answers(running):
    state = stack.read_state(running.home)
    assert set(state.pids) == {part.value for part in Part}
    assert get(state.url + "/healthz") == 200
    assert get(state.url + "/sign-in/") == 200
    assert stack.is_running(running.home)


def test_beat_sends_and_the_worker_runs_tasks(running):
    done = "Task generation.tasks.reap"
    assert eventually(lambda: done in log(running, Part.WORKER) and "succeeded" in log(running, Part.WORKER))


def test_the_web_listens_on_the_loopback_alone(running):
    pid = stack.read_state(running.home).pids["web"]
    found = [link for process in (psutil.Process(pid),) for link in process.net_connections("inet")]
    assert {link.laddr.ip for link in found} == {"127.0.0.1"}


def test_a_second_supervisor_is_refused(running):
    with pytest.raises(StackError, match="runs already"):
        Stack(running.home, port=stack.free_port()).start()
    assert stack.read_state(running.home).pids, "the refused one removed the state of the running one"


@pytest.mark.parametrize("part", [Part.WORKER, Part.SEQUENCER])
def test_a_killed_part_is_started_again_and_leaves_no_orphan(running, part):
    before = stack.read_state(running.home).pids[part]
    family = [before, *(child.pid for child in psutil.Process(before).children(recursive=True))]
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: stack.read_state(running.home).pids[part] != before, within_s=10)
    assert eventually(lambda: not any(psutil.pid_exists(pid) for pid in family), within_s=5)
    after = stack.read_state(running.home).pids[part]
    assert psutil.Process(after).is_running()


def test_a_taken_port_is_refused_by_number(running, folder):
    with pytest.raises(StackError, match=f"Port {running.port} is taken"):
        Stack(folder / "other", port=running.port).start()


def test_logs_and_state_hold_no_password(running):
    passwords = [line.rsplit(":", 1)[1] for line in (running.home / "pg.pass").read_text().splitlines()]
    text = "".join(path.read_text(errors="replace") for path in (running.home / "logs").iterdir())
    text += (running.home / "stack.json").read_text()
    for process in psutil.Process().children(recursive=True):
        text += " ".join(process.cmdline())
    assert not [password for password in passwords if password in text]


def hold(home: Path) -> subprocess.Popen[str]:
    environment = processes.environment(home, port=1)
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), str(stack.free_port())],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout is not None
    assert held.stdout.readline() == "up\n"
    return held


def test_sigterm_stops_everything_that_was_started(folder):
    home = folder / "term"
    with hold(home) as held:
        pids = list(stack.read_state(home).pids.values())
        held.send_signal(signal.SIGTERM)
        assert held.wait(timeout=30) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not EmbeddedPostgres(home).alive()
    assert not stack.is_running(home)
    assert not (home / "stack.json").exists()


def test_what_a_killed_supervisor_left_is_ended_by_the_next(folder):
    home = folder / "killed"
    with hold(home) as held:
        left = stack.read_state(home).pids
        held.kill()
    assert not stack.is_running(home)
    assert psutil.pid_exists(left["beat"])
    with Stack(home, parts=stack.BEHIND):
        assert not any(psutil.pid_exists(pid) for pid in left.values())
    EmbeddedPostgres(home).stop()


def test_a_recycled_process_number_is_left_alone(folder):
    home = folder / "recycled"
    home.mkdir()
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        state = {"url": "", "pids": {"worker": stranger.pid}, "born": {"worker": "1"}}
        (home / "stack.json").write_text(json.dumps(state))
        Stack(home)._end_leftovers()
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("text", ["", "[]", '{"pids": 1, "more": 2}', "nonsense"])
def test_a_damaged_state_file_reads_as_none(tmp_path, text):
    (tmp_path / "stack.json").write_text(text)
    assert stack.read_state(tmp_path) == stack.State()


def test_a_part_that_dies_at_once_is_tried_less_and_less(tmp_path):
    child = processes.Child("x", (sys.executable, "-c", "print('no')"), {}, tmp_path / "x.log")
    child.start()
    assert eventually(lambda: child.revive() or child.deaths >= 3, within_s=20) or child.deaths
    assert eventually(lambda: (child.revive(), child.deaths)[1] >= 3, within_s=20)
    assert child.restart_at > 0
    assert "no" in child.last_words()
    child.kill_rest()


def test_the_default_home_is_the_settings_own():
    assert Stack().home == settings.LIKENESS_HOME
