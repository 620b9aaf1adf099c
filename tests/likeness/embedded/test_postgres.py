from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from likeness.embedded import home as homes
from likeness.embedded import passwords, programs
from likeness.embedded.postgres import EmbeddedPostgres
from likeness.errors import EmbeddedPostgresError

site = programs._site


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lk-pg-", dir="/tmp") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder / "home", options=("fsync=off",))
    made.ensure()
    yield made
    made.stop()


def connect(server: EmbeddedPostgres) -> psycopg.Connection:
    return psycopg.connect(server.conninfo())


def test_it_is_postgresql_18_with_vectors_and_checksums(server):
    with connect(server) as connection:
        connection.execute("create extension if not exists vector")
        version, checksums = connection.execute(
            "select current_setting('server_version_num')::int, current_setting('data_checksums')"
        ).fetchone()
    assert version >= 180000
    assert checksums == "on"


def test_it_listens_on_no_address(server):
    with connect(server) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)


def test_files_are_private(server):
    for path, mode in ((server.data, 0o700), (server.run, 0o700), (server.passfile, 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode, path
    assert not (server.run / "pw").exists()


def test_a_wrong_password_is_refused(server):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"host={server.run} user=postgres dbname=likeness password=wrong")


def test_no_password_is_refused(server):
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(f"host={server.run} user=postgres dbname=likeness passfile=/dev/null")


def test_the_password_stands_in_no_command_line(server):
    password = passwords.find(server.passfile, role="postgres")
    assert password
    assert password not in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout


def test_ensuring_a_running_server_starts_no_other(server):
    before = server.pid()
    began = time.monotonic()
    server.ensure()
    assert server.pid() == before
    assert time.monotonic() - began < 2


def _ensure(home: Path) -> int:
    server = EmbeddedPostgres(home, options=("fsync=off",))
    server.ensure()
    return server.pid() or 0


def test_many_processes_at_once_start_one_server(folder):
    home = folder / "race"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = set(pool.map(_ensure, [home] * 4))
    EmbeddedPostgres(home).stop()
    assert len(found) == 1
    assert 0 not in found


def test_a_killed_server_is_started_again_with_every_commit(server):
    with connect(server) as connection:
        connection.execute("create table if not exists kept (n int)")
        connection.execute("insert into kept values (7)")
    os.kill(server.pid(), signal.SIGKILL)
    server.ensure()
    with connect(server) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


def test_stopping_twice_is_fine_and_liveness_follows(folder):
    server = EmbeddedPostgres(folder / "stop", options=("fsync=off",))
    server.ensure()
    assert server.alive()
    server.stop()
    server.stop()
    assert not server.alive()


def test_a_stale_pid_file_is_not_life(folder):
    server = EmbeddedPostgres(folder / "stale")
    server.data.mkdir(parents=True)
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert not server.alive(), "another process has that number"


def test_a_failed_start_says_what_the_server_said(folder):
    server = EmbeddedPostgres(folder / "bad", options=("shared_buffers=nonsense",))
    with pytest.raises(EmbeddedPostgresError, match="pg_ctl"):
        server.ensure()


def test_the_server_outlives_the_process_that_started_it(folder):
    home = folder / "outlive"
    code = (
        "import sys; from pathlib import Path; from likeness.embedded.postgres import EmbeddedPostgres;"
        "EmbeddedPostgres(Path(sys.argv[1]), options=('fsync=off',)).ensure()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(home)], check=True, env=environment, timeout=60)
    server = EmbeddedPostgres(home)
    assert server.alive()
    server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has homes that the server's user cannot enter")
def test_root_runs_a_server_below_a_closed_directory(folder, monkeypatch):
    monkeypatch.setattr(homes, "ELSEWHERE", folder / "elsewhere")
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for part in programs.PARTS:
        shutil.copytree(site() / part, closed / "wheel" / part, symlinks=True)
    monkeypatch.setattr(programs, "_site", lambda: closed / "wheel")
    server = EmbeddedPostgres(closed / "home", options=("fsync=off",))
    with psycopg.connect(server.ensure()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    other_spelling = (
        f"host={closed / 'home' / 'run'} user=postgres dbname=likeness passfile={server.passfile}"
    )
    psycopg.connect(other_spelling).close()
    server.stop()
    assert EmbeddedPostgres(closed / "home").data == server.data
    assert programs.programs(server.user).is_relative_to(folder / "elsewhere")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
