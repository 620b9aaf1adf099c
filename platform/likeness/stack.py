"""Everything that runs on one machine: PostgreSQL, web, worker, beat, sequencer and a witness, supervised.

    with Stack(home) as stack:   # starts what is down, restarts what dies, stops what it started
        stack.url                # http://127.0.0.1:8080

The supervisor holds ``stack.lock`` in the home; ``stack.json`` names its processes. Children that a killed
supervisor left behind are ended by the next one.
"""

from __future__ import annotations

import fcntl
import json
import logging
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self

from django.conf import settings

from likeness import processes
from likeness.embedded import home as homes
from likeness.embedded import prepare
from likeness.embedded.postgres import EmbeddedPostgres
from likeness.errors import StackError
from likeness.processes import Child, python

log = logging.getLogger(__name__)

WATCH_S = 0.2
READY_S = 60.0
GRACE_S = 2.5  # an idle worker needs 2 s to see the signal; a busy one may be killed: work resumes
WEB_THREADS = 8


class Part(StrEnum):
    """A process of the stack."""

    WEB = "web"
    WORKER = "worker"
    BEAT = "beat"
    SEQUENCER = "sequencer"
    WITNESS = "witness"


BEHIND = (Part.WORKER, Part.BEAT, Part.SEQUENCER, Part.WITNESS)  # everything but the web


@dataclass(frozen=True, slots=True)
class State:
    """What a running stack wrote down: its address, and its processes with their start times."""

    url: str = ""
    pids: dict[str, int] = field(default_factory=dict)
    born: dict[str, str] = field(default_factory=dict)


class Stack:
    """The local stack of one home directory."""

    def __init__(
        self, home: Path | None = None, *, parts: Iterable[Part] = tuple(Part), port: int | None = None
    ) -> None:
        self.home = (home or Path(settings.LIKENESS_HOME)).absolute()
        self.parts = tuple(parts)
        self.port = port or settings.LIKENESS_PORT
        self.children: dict[Part, Child] = {}
        self._lock: IO[str] | None = None
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self._started_server = False

    @property
    def url(self) -> str:
        """Where the web answers."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start, and wait until the web answers."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what was started."""
        self.stop()

    def start(self) -> None:
        """Start the database, then every part.

        Raises:
            StackError: another supervisor holds the home, the port is taken, or a part did not come up.
            EmbeddedError: the database did not come up.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self._take_lock()
        if Part.WEB in self.parts:
            _refuse_taken_port(self.port)
        self._end_leftovers()
        self._start_server()
        if Part.WEB in self.parts:  # it imports for a second while the database is prepared
            self._spawn(Part.WEB)
        self._prepare()
        for part in self.parts:
            if part not in self.children:
                self._spawn(part)
        self._watcher = threading.Thread(target=self._watch, name="stack", daemon=True)
        self._watcher.start()
        if Part.WEB in self.parts:
            self._await_web()

    def stop(self) -> None:
        """Stop every part, and PostgreSQL if this stack started it; safe to call twice."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join()
        for child in self.children.values():
            child.ask_to_stop()
        until = time.monotonic() + GRACE_S
        while any(child.alive for child in self.children.values()) and time.monotonic() < until:
            time.sleep(0.02)
        for child in self.children.values():
            child.kill_rest()
        self.children.clear()
        if self._started_server:
            EmbeddedPostgres(self.home).stop()
            self._started_server = False
        self._release_lock()

    def wait(self, ready: Callable[[], object] = lambda: None) -> None:
        """Stay until SIGTERM or SIGINT; for the command that runs the stack in the foreground.

        ``ready`` is called once a signal would stop the stack: who is told before could stop half of it.
        """
        asked = threading.Event()

        def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signature is Python's
            asked.set()

        previous = {name: signal.signal(name, note) for name in (signal.SIGTERM, signal.SIGINT)}
        try:
            ready()
            while not asked.wait(1.0):
                pass
        finally:
            for name, handler in previous.items():
                signal.signal(name, handler)

    def _spawn(self, part: Part) -> None:
        logs = self.home / "logs"
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        environment = processes.environment(self.home, port=self.port)
        child = Child(
            part.value, command(part, home=self.home, port=self.port), environment, logs / f"{part}.log"
        )
        child.start()
        self.children[part] = child
        self._write_state()

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_S):
            for child in self.children.values():
                if child.revive():
                    log.warning("%s had died and was started again", child.name)
                    self._write_state()

    def _start_server(self) -> None:
        if not settings.LIKENESS_EMBEDDED:
            return
        server = EmbeddedPostgres(self.home)
        self._started_server = not server.alive()
        server.ensure()

    def _prepare(self) -> None:
        if self.home == Path(settings.LIKENESS_HOME).absolute():
            prepare.prepare_database()
            return
        child = Child(
            "prepare",
            python("-m", "django", "prepare"),
            processes.environment(self.home, port=self.port),
            self.home / "logs" / "prepare.log",
        )
        child.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        child.start()
        if child.process is not None and child.process.wait() != 0:
            raise StackError(f"The database of {self.home} could not be prepared: {child.last_words()}")

    def _await_web(self) -> None:
        until = time.monotonic() + READY_S
        while not _answers(f"{self.url}/healthz"):
            web = self.children[Part.WEB]
            if time.monotonic() > until or web.deaths > 1:
                raise StackError(f"The web did not come up on {self.url}: {web.last_words()}")
            time.sleep(0.05)

    def _take_lock(self) -> None:
        homes.claim(self.home, user=homes.server_user())
        self._lock = (self.home / "stack.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise StackError(f"A stack runs already in {self.home}.") from None

    def _release_lock(self) -> None:
        if self._lock is not None:
            (self.home / "stack.json").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _write_state(self) -> None:
        pids = {str(part): child.process.pid for part, child in self.children.items() if child.process}
        born = {name: processes.started(pid) for name, pid in pids.items()}
        fresh = self.home / ".stack.json.new"
        fresh.write_text(json.dumps(asdict(State(self.url, pids, born))))
        fresh.replace(self.home / "stack.json")

    def _end_leftovers(self) -> None:
        state = read_state(self.home)
        for name, pid in state.pids.items():
            processes.end(pid, born=state.born.get(name, ""))


def is_running(home: Path) -> bool:
    """Say whether a supervisor holds the home."""
    try:
        with (home / "stack.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_state(home: Path) -> State:
    """Give what the stack of a home wrote down; empty when there is none."""
    try:
        return State(**json.loads((home / "stack.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return State()


def command(part: Part, *, home: Path, port: int) -> tuple[str, ...]:
    """Give the command of a part."""
    celery = ("-m", "celery", "--quiet", "-A", "likeness")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    commands = {
        Part.WEB: python(
            *("-m", "gunicorn", "likeness.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"),
            *("--workers", "1", "--threads", str(WEB_THREADS), "--timeout", "120", "--graceful-timeout", "1"),
            "--no-control-socket",
        ),
        Part.WORKER: python(
            *celery, "worker", "-P", "prefork", "-c", "1", "-Q", "gpu,cpu,io", "-l", "INFO", *quiet
        ),
        Part.BEAT: python(
            *celery, "beat", "--scheduler", "celery.beat:Scheduler", "--pidfile=", "-l", "WARNING"
        ),
        Part.SEQUENCER: python("-m", "django", "sequencer"),
        # A second identity of the same operator: log.policy calls it "demo" and says what it proves.
        Part.WITNESS: python(
            *("-m", "audit.witness_http", str(home / "witness")),
            *("--create", f"{settings.LIKENESS_LOG_ORIGIN}/demo-witness"),
            *("--follow", str(home / "signer" / "log.vkey")),
        ),
    }
    return commands[part]


def free_port() -> int:
    """Give a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StackError(
                f"Port {port} is taken: {error.strerror}. Set LIKENESS_PORT to another."
            ) from None


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
