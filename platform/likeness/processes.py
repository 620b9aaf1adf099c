"""One child process of the local stack: its command, its log, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import likeness
from likeness import env

LOG_MAX_BYTES = 20 * 2**20
SETTLED_S = 30.0
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(slots=True)
class Child:
    """A process that is started again when it dies, less eagerly each time."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    deaths: int = 0
    restart_at: float = 0.0

    def start(self) -> None:
        """Start it in a session of its own, its output going to its log."""
        rotate(self.log)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  the command is ours
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.began = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def revive(self) -> bool:
        """Start it again if it died and its pause is over; says whether it did."""
        now = time.monotonic()
        if self.alive:
            return False
        if not self.restart_at:
            self.kill_rest()
            self.deaths = 0 if now - self.began > SETTLED_S else self.deaths + 1
            self.restart_at = now + BACKOFF_S[min(self.deaths, len(BACKOFF_S)) - 1]
            return False
        if now < self.restart_at:
            return False
        self.restart_at = 0.0
        self.start()
        return True

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process; it stops its own children."""
        if self.process is not None and self.alive:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)

    def kill_rest(self) -> None:
        """Kill what is left of its process group, and collect it."""
        if self.process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def last_words(self) -> str:
        """Give the end of its log."""
        return self.log.read_bytes()[-2000:].decode(errors="replace") if self.log.exists() else ""


def python(*arguments: str) -> tuple[str, ...]:
    """Give a command of this interpreter."""
    return (sys.executable, *arguments)


def environment(home: Path, *, port: int) -> dict[str, str]:
    """Give a child's environment: the same code, whether it is installed or not."""
    package = Path(likeness.__file__).resolve().parent
    roots = [package.parent, package.parents[1]] if package.parent.name == "platform" else [package.parent]
    made = env.for_child(HOME=str(home), PORT=str(port))
    made["PYTHONPATH"] = os.pathsep.join([*map(str, roots), *filter(None, [made.get("PYTHONPATH")])])
    made["DJANGO_SETTINGS_MODULE"] = "likeness.settings"
    made["PYTHONUNBUFFERED"] = "1"
    return made


def rotate(log: Path) -> None:
    """Move a long log aside; one old one is kept."""
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))


def started(pid: int) -> str:
    """Give the start time of a process, which tells it from a later one of the same number; empty if none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def end(pid: int, *, born: str) -> None:
    """Kill the group of a process that an earlier stack left behind, if it is still the same one."""
    if born and started(pid) == born:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
