"""How fast the log takes entries, against a hash chain in the same database, and how soon it gives a receipt.

    python -m tests.bench.bench_audit [--writers 8] [--seconds 6]

A server of its own, durable commits, one process per writer. "log" is `services.append` in a transaction
each, with the sequencer at work; it counts what was appended, and the time until the last entry was signed.
"chain" is the usual alternative: lock, read the last hash, insert the next row. On a machine that has other
work, "cpu_us" says more: processor time of writers, server and sequencer together, for one entry.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from multiprocessing.synchronize import Barrier
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECEIPT_WRITERS, RECEIPT_PAUSE_S = 4, 0.02
LOG_BYTES = "SELECT pg_total_relation_size('audit_entry') + pg_total_relation_size('audit_tile')"
CHAIN = "CREATE TABLE bench_chain (id bigserial PRIMARY KEY, hash bytea, prev bytea, body bytea)"


def setup() -> None:
    """Make Django ready in this process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "likeness.settings")
    sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
    import django

    django.setup()


def sample() -> object:
    """An event of the usual size."""
    from audit.events import GenerationFinished

    digests = tuple(hashlib.sha256(b"%d" % number).hexdigest() for number in range(3))
    return GenerationFinished(
        job=str(uuid.uuid4()), attempt=1, output=digests[0], bytes=18_345_234, mime="video/mp4", frames=1500,
        similarity_ppm=713_244, models=digests, params=digests[1],
    )  # fmt: skip


def append_for(seconds: float) -> list[float]:
    """Append as fast as possible; the time of each commit."""
    from django.db import transaction

    from audit import services
    from audit.events import Actor

    actor, times, end = Actor("usr_0123456789abcdef", "bench"), [], time.monotonic() + seconds
    event = sample()
    while time.monotonic() < end:
        started = time.perf_counter()
        with transaction.atomic():
            services.append(event, actor=actor)  # type: ignore[arg-type]
        times.append(time.perf_counter() - started)
    return times


def chain_for(seconds: float) -> list[float]:
    """Extend a hash chain as fast as possible; the time of each commit."""
    from datetime import UTC, datetime

    from django.db import connections, transaction

    from audit import leaf
    from audit.events import Actor

    actor, times, end = Actor("usr_0123456789abcdef", "bench"), [], time.monotonic() + seconds
    event = sample()
    while time.monotonic() < end:
        started = time.perf_counter()
        body = leaf.encode(event, actor=actor, event_id=uuid.uuid4(), at=datetime.now(UTC))  # type: ignore[arg-type]
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(1)")
            cursor.execute("SELECT hash FROM bench_chain ORDER BY id DESC LIMIT 1")
            row = cursor.fetchone()
            previous = bytes(row[0]) if row else b""
            cursor.execute(
                "INSERT INTO bench_chain (hash, prev, body) VALUES (%s, %s, %s)",
                [hashlib.sha256(previous + body).digest(), previous, body],
            )
        times.append(time.perf_counter() - started)
    return times


def receipts_for(seconds: float) -> list[float]:
    """Append and wait for each receipt; the time from the commit to the receipt."""
    from django.db import transaction

    from audit import selectors, services
    from audit.events import Actor

    actor, times, end = Actor("usr_0123456789abcdef", "bench"), [], time.monotonic() + seconds
    while time.monotonic() < end:
        with transaction.atomic():
            event_id = services.append(sample(), actor=actor)  # type: ignore[arg-type]
        started = time.perf_counter()
        selectors.receipt(event_id, timeout_s=30)
        times.append(time.perf_counter() - started)
        time.sleep(RECEIPT_PAUSE_S)
    return times


def begin(barrier: Barrier) -> None:
    """Be ready when the others are: to start a writer costs more than a second of processor time."""
    setup()
    from django.db import connections

    from audit import leaf, selectors, services  # noqa: F401 - what the writers would import under the clock

    for alias in ("default", "owner"):
        connections[alias].ensure_connection()
    barrier.wait()


def processor_s() -> float:
    """Processor time so far of this process, the server and all under them."""
    from django.conf import settings

    from likeness.embedded.postgres import EmbeddedPostgres

    seen: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()  # proc(5): from the third field on
            seen[int(path.parent.name)] = (int(fields[1]), sum(int(ticks) for ticks in fields[11:15]))
    ours = {os.getpid(), EmbeddedPostgres(settings.LIKENESS_HOME).pid()}
    for _ in range(4):  # as deep as the tree of processes is
        ours |= {pid for pid, (parent, _ticks) in seen.items() if parent in ours}
    return sum(ticks for pid, (_parent, ticks) in seen.items() if pid in ours) / os.sysconf("SC_CLK_TCK")


def all_of(work: Callable[[float], list[float]], writers: int, seconds: float) -> tuple[list[float], float]:
    """Run one kind of writer in several processes, which begin together; all times, and microseconds of
    processor time of everything for each."""
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(writers + 1)
    with spawn.Pool(writers, begin, (barrier,)) as pool:
        barrier.wait()
        before = processor_s()
        times = sorted(chain.from_iterable(pool.map(work, [seconds] * writers, chunksize=1)))
        return times, (processor_s() - before) / len(times) * 1e6


def quantiles(times: list[float]) -> dict[str, float]:
    """Milliseconds at the usual points."""
    return {f"p{point}": round(times[len(times) * point // 100] * 1000, 1) for point in (50, 95, 99)}


def measure(writers: int, seconds: float) -> dict[str, object]:
    """Run the three parts against the database that the settings name."""
    from django.db import connections

    from audit import fsck

    def ask(statement: str) -> int:
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement)
            return int(cursor.fetchone()[0]) if cursor.description else 0

    ask(CHAIN)
    chained, chained_us = all_of(chain_for, writers, seconds)
    before = ask("SELECT coalesce(max(size), 0) FROM audit_checkpoint")
    appended, appended_us = all_of(append_for, writers, seconds)
    ended = time.monotonic()
    while ask("SELECT coalesce(max(size), 0) FROM audit_checkpoint") < before + len(appended):
        time.sleep(0.01)
    behind_s = time.monotonic() - ended
    receipts, _ = all_of(receipts_for, RECEIPT_WRITERS, seconds)
    started = time.monotonic()
    problems = fsck.check()
    size = ask("SELECT count(*) FROM audit_entry")
    return {
        "writers": writers,
        "chain_per_s": round(len(chained) / seconds),
        "log_per_s": round(len(appended) / seconds),
        "log_signed_per_s": round(len(appended) / (seconds + behind_s)),
        "ratio": round(len(appended) / (seconds + behind_s) / (len(chained) / seconds), 1),
        "chain_cpu_us": round(chained_us),
        "log_cpu_us": round(appended_us),
        "append_ms": quantiles(appended),
        "receipt_ms": quantiles(receipts),
        "entries": size,
        "problems": len(problems),
        "fsck_entries_per_s": round(size / (time.monotonic() - started)),
        "log_bytes_per_entry": round(ask(LOG_BYTES) / size),
        "key_bytes_per_entry": round(ask("SELECT pg_total_relation_size('audit_key')") / size),
    }


def main() -> None:
    """Make a server, measure, take it away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="lk-"))
    home.chmod(0o711)
    os.environ["LIKENESS_HOME"] = str(home)
    setup()
    from django.db import connections

    from likeness.embedded.postgres import EmbeddedPostgres
    from likeness.embedded.prepare import prepare_database

    prepare_database()
    process = subprocess.Popen([sys.executable, "manage.py", "sequencer"], cwd=ROOT)
    try:
        sys.stdout.write(json.dumps(measure(options.writers, options.seconds)) + "\n")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        connections.close_all()
        EmbeddedPostgres(home).stop()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
