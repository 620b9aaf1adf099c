"""Kill the sequencer, its witness, a writer and PostgreSQL while the log grows; then count what was lost.

    python -m tests.audit.crash_run [--kills 24] [--restarts 3] [--writers 4]

A server of its own with durable commits. Every writer notes "attempted" before and "acknowledged" after each
commit in a file of its own. Exits 1 if anything was lost, doubled, skipped or does not verify. Processes are
killed, the power stays on. `test_crash.py` is the short form.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTLE_S = 180
RECORD = 17  # "?" or "!" and the 16 bytes of an event's id


def setup() -> None:
    """Make Django ready in this process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "likeness.settings")
    sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
    import django

    django.setup()


def write_until(stop: Path, path: Path) -> None:
    """Append until the file `stop` exists; one transaction in ten is rolled back."""
    setup()
    from django.db import Error, connections, transaction

    from audit import services
    from audit.events import Actor, GenerationStarted

    actor = Actor("usr_0123456789abcdef", "demo")
    with path.open("ab", buffering=0) as file:
        while not stop.exists():
            try:
                with transaction.atomic():
                    event_id = services.append(GenerationStarted(job="job-1"), actor=actor)
                    file.write(b"?" + event_id.bytes)
                    rolled_back = random.random() < 0.1  # noqa: S311 - test data
                    transaction.set_rollback(rolled_back)
                if not rolled_back:
                    file.write(b"!" + event_id.bytes)
                time.sleep(0.002)
            except Error:
                connections.close_all()
                time.sleep(0.05)


def read(paths: list[Path]) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    """What was attempted and what was acknowledged."""
    found: dict[int, set[uuid.UUID]] = {ord("?"): set(), ord("!"): set()}
    for path in paths:
        data = path.read_bytes()
        for at in range(0, len(data) - RECORD + 1, RECORD):
            found[data[at]].add(uuid.UUID(bytes=data[at + 1 : at + RECORD]))
    return found[ord("?")], found[ord("!")]


class Run:
    """One run in one home directory."""

    def __init__(self, home: Path) -> None:
        from likeness.embedded.postgres import EmbeddedPostgres

        self.home = home
        self.server = EmbeddedPostgres(home)
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.counts = dict.fromkeys(("sequencer", "witness", "writer", "database"), 0)

    def start(self, name: str) -> None:
        """Start the sequencer or the witness; what it says goes to a file in the home."""
        witness = (
            "--create",
            "likeness.local/audit/demo-witness",
            "--follow",
            str(self.home / "signer/log.vkey"),
        )
        commands = {
            "sequencer": (sys.executable, "manage.py", "sequencer"),
            "witness": (sys.executable, "-m", "audit.witness_http", str(self.home / "witness"), *witness),
        }
        with (self.home / f"{name}.log").open("ab") as log:
            self.children[name] = subprocess.Popen(commands[name], cwd=ROOT, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """Kill -9, and start again."""
        self.children[name].kill()
        self.children[name].wait()
        self.counts[name] += 1
        self.start(name)

    def restart_database(self) -> None:
        """An immediate shutdown: no checkpoint, so the server recovers from its log when it is started."""
        pid = self.server.pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        while self.server.pid() == pid:
            time.sleep(0.05)
        self.server.ensure()
        self.counts["database"] += 1

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Ask as the owner, over a new connection."""
        from django.db import connections

        with connections["owner"].cursor() as cursor:
            cursor.execute(statement)
            found = cursor.fetchall()
        connections["owner"].close()
        return found

    def wait_for(self, statement: str, least: int) -> None:
        """Wait until a number is reached."""
        until = time.monotonic() + SETTLE_S
        while int(str(self.ask(statement)[0][0])) < least:
            assert time.monotonic() < until, f"{statement} stays below {least}"
            time.sleep(0.05)


SIGNED = "SELECT coalesce(max(size), 0) FROM audit_checkpoint"
COSIGNED = "SELECT coalesce(max(size), 0) FROM audit_cosignature"


def harm(run: Run, kills: int, restarts: int, writers: list[multiprocessing.Process]) -> None:
    """Kill again and again; the log must have grown in between, so that there is something to lose."""
    every = max(1, kills // (restarts + 1))
    for number in range(1, kills + 1):
        before = int(str(run.ask(SIGNED)[0][0]))
        run.wait_for(SIGNED, before + 1)
        time.sleep(random.uniform(0, 0.4))  # noqa: S311 - test data
        run.kill("sequencer")
        if number % 4 == 0:
            run.kill("witness")
        if number == 5:
            writers[0].kill()
            run.counts["writer"] += 1
        if number % every == 0 and run.counts["database"] < restarts:
            run.restart_database()


def judge(run: Run, paths: list[Path]) -> dict[str, object]:
    """Count, and check every entry, tile, head and pair of heads."""
    from django.db import connections

    from audit import checkpoint, fsck, merkle, selectors, signer, store
    from audit.errors import FormatError
    from audit.tiles import TileTree

    tried, acknowledged = read(paths)
    logged = [row[0] for row in run.ask("SELECT event_id FROM audit_entry WHERE idx > 0 ORDER BY idx")]
    heads = [
        checkpoint.open_checkpoint(str(note), *signer.published_keys())
        for (note,) in run.ask("SELECT note FROM audit_checkpoint ORDER BY size")
    ]
    inconsistent = 0
    with connections["auditor"].cursor() as cursor:
        for old, new in itertools.pairwise(heads):
            try:
                proof = TileTree(new.size, store.reader(cursor)).consistency(old.size)
                merkle.verify_consistency(old.size, new.size, old.root, new.root, proof)
            except FormatError:
                inconsistent += 1
    health = selectors.witness_health()
    wrong = {
        "lost": len(acknowledged - set(logged)),
        "duplicated": len(logged) - len(set(logged)),
        "never_attempted": len(set(logged) - tried),
        "gaps": int(str(run.ask("SELECT max(idx) + 1 - count(*) FROM audit_entry")[0][0])),
        "refused": int(str(run.ask("SELECT count(*) FROM audit_refused")[0][0])),
        "left_in_outbox": int(str(run.ask("SELECT count(*) FROM audit_outbox")[0][0])),
        "inconsistent_heads": inconsistent,
        "problems": len(fsck.check()),
        "frozen": int(health.frozen),
        "uncosigned": heads[-1].size - health.size,
    }
    return {
        "killed": run.counts,
        "attempted": len(tried),
        "acknowledged": len(acknowledged),
        "logged": len(logged),
        "committed_but_unacknowledged": len(set(logged) - acknowledged),
        "heads": len(heads),
        "wrong": wrong,
    }


def carry_out(run: Run, kills: int, restarts: int, count: int) -> dict[str, object]:
    """Start everything, harm it, let it settle, judge."""
    stop, spawn = run.home / "stop", multiprocessing.get_context("spawn")
    paths = [run.home / f"writer{number}" for number in range(count)]
    for name in ("sequencer", "witness"):
        run.start(name)
    run.wait_for(SIGNED, 1)
    writers = [spawn.Process(target=write_until, args=(stop, path)) for path in paths]
    for writer in writers:
        writer.start()
    try:
        harm(run, kills, restarts, writers)  # type: ignore[arg-type]
    finally:
        stop.touch()
        for writer in writers:
            writer.join()
    run.wait_for("SELECT -count(*) FROM audit_outbox", 0)
    run.wait_for("SELECT (SELECT max(size) FROM audit_checkpoint) - (SELECT count(*) FROM audit_entry)", 0)
    run.wait_for(COSIGNED, int(str(run.ask(SIGNED)[0][0])))
    return judge(run, paths)


def main() -> int:
    """Make a server, harm it, judge, take it away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--writers", type=int, default=4)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="lk-"))
    home.chmod(0o711)
    os.environ["LIKENESS_HOME"] = str(home)
    setup()
    from django.db import connections

    from likeness.embedded.prepare import prepare_database

    prepare_database()
    run = Run(home)
    try:
        verdict = carry_out(run, options.kills, options.restarts, options.writers)
        sys.stdout.write(json.dumps(verdict, indent=1) + "\n")
    finally:
        for child in run.children.values():
            child.kill()
            child.wait()
        connections.close_all()
        run.server.stop()
        shutil.rmtree(home)
    wrong = verdict["wrong"]
    return 1 if isinstance(wrong, dict) and any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
