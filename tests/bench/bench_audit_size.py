"""What a log of a million entries costs: filling it, proofs, search, a bundle, a whole check, and storage.

    python -m tests.bench.bench_audit_size [--entries 1000000]

A server of its own, durable commits. The outbox is filled in bulk, then one sequencer drains it in batches of
1000 with a signed checkpoint for each: "drain" counts only that time. Proofs are cold: a new tree for each,
every tile read from the database.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.bench_audit import setup

BULK, BATCH, PROOFS, SEARCHES, BUNDLED = 50_000, 1000, 300, 100, 300
PER_JOB, PEOPLE = 5, 1000
TABLES = ("audit_entry", "audit_tile", "audit_key", "audit_checkpoint")


def bodies(start: int, count: int) -> list[tuple[uuid.UUID, bytes]]:
    """Entries as a platform makes them: each job has five, each person many; ids are random."""
    from datetime import UTC, datetime

    from audit import leaf
    from audit.events import Actor, GenerationFinished

    mark = uuid.UUID(int=0)
    actor = Actor("usr_0123456789abcdef", "bench")
    event = GenerationFinished(
        job="J" * 32, attempt=1, output="0" * 64, bytes=18_345_234, mime="video/mp4", frames=1500,
        similarity_ppm=713_244, models=("1" * 64, "2" * 64), params="3" * 64,
    )  # fmt: skip
    body = leaf.encode(event, actor=actor, event_id=mark, at=datetime.now(UTC))
    made = []
    for number in range(start, start + count):
        event_id = uuid.uuid4()
        one = body.replace(str(mark).encode(), str(event_id).encode())
        one = one.replace(b"J" * 32, b"%032x" % (number // PER_JOB)).replace(b"0" * 64, b"%064x" % number)
        made.append((event_id, one.replace(b"usr_0123456789abcdef", b"usr_%016x" % (number % PEOPLE))))
    return made


def fill(entries: int) -> dict[str, float]:
    """Fill the log; entries a second while draining, by the wall and by this process's own CPU time."""
    import psycopg

    from audit import sequencer, signer
    from audit.sequencer import Sequencer

    wall = cpu = 0.0
    with psycopg.connect(**sequencer.parameters("owner")) as owner, sequencer.connect() as connection:
        writer = Sequencer(connection, signer=signer.local())
        writer.start()
        for start in range(0, entries - 1, BULK):
            rows = bodies(start, min(BULK, entries - 1 - start))
            with owner.cursor().copy("COPY audit_outbox (event_id, body) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["uuid", "bytea"])
                for row in rows:
                    copy.write_row(row)
            owner.commit()
            began, used = time.perf_counter(), time.process_time()
            while writer.step(BATCH):
                writer.publish()
            wall, cpu = wall + time.perf_counter() - began, cpu + time.process_time() - used
        owner.autocommit = True
        owner.execute("VACUUM ANALYZE")
        owner.execute("CHECKPOINT")
    return {"drain_per_s": round(entries / wall), "drain_per_cpu_s": round(entries / cpu)}


def quantiles(times: list[float]) -> dict[str, float]:
    """Milliseconds at the usual points."""
    times.sort()
    return {f"p{point}": round(times[len(times) * point // 100] * 1000, 2) for point in (50, 95)}


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def proofs(entries: int) -> dict[str, Any]:
    """Time, reads and size of proofs at random places."""
    from django.db import connections

    from audit import checkpoint, selectors, signer, store
    from audit.checkpoint import TlogProof
    from audit.tiles import TileTree

    reads: list[int] = []
    inclusion, consistency = [], []
    with connections["auditor"].cursor() as cursor:
        reader = store.reader(cursor)

        def counted(level: int, n: int, width: int) -> bytes:
            reads[-1] += 1
            return reader(level, n, width)

        for times, method, low in ((inclusion, "inclusion", 0), (consistency, "consistency", 1)):
            for _ in range(PROOFS):
                reads.append(0)
                at = random.randrange(low, entries)  # noqa: S311 - test data
                work = getattr(TileTree(entries, counted), method)
                times.append(timed(partial(work, at)))
        head = selectors.checkpoint()
        cosigned = checkpoint.open_checkpoint(head.note, signer.published_key())
        line = checkpoint.cosign(cosigned, name="witness.example/w1", seed=bytes(32), time=int(time.time()))
        text = str(TlogProof(7, TileTree(entries, reader).inclusion(7), head.note + line))
    return {
        "inclusion_ms": quantiles(inclusion),
        "consistency_ms": quantiles(consistency),
        "inclusion_reads_max": max(reads[:PROOFS]),
        "consistency_reads_max": max(reads[PROOFS:]),
        "tlog_proof_bytes_with_one_witness": len(text.encode()),
    }


def searches(entries: int) -> dict[str, Any]:
    """Time of finding entries by output, by job and by actor (the newest 100)."""
    from audit import selectors
    from audit.leaf import KeyKind

    def at() -> int:
        return random.randrange(entries - 1)  # noqa: S311 - test data

    asked: dict[str, Callable[[], object]] = {
        "by_output_ms": lambda: selectors.entries(KeyKind.OUTPUT, f"{at():064x}"),
        "by_job_ms": lambda: selectors.entries(KeyKind.JOB, f"{at() // PER_JOB:032x}"),
        "by_actor_100_ms": lambda: selectors.latest(100, about=(KeyKind.ACTOR, f"usr_{at() % PEOPLE:016x}")),
        "by_model_100_ms": lambda: selectors.latest(100, about=(KeyKind.MODEL, "1" * 64)),
        "by_model_nowhere_ms": lambda: selectors.latest(100, about=(KeyKind.MODEL, "f" * 64)),
        "newest_of_tenant_50_ms": lambda: selectors.latest(50, before=at(), tenant="bench"),
    }
    return {name: quantiles([timed(work) for _ in range(SEARCHES)]) for name, work in asked.items()}


def verification(entries: int) -> dict[str, Any]:
    """A bundle of 300 entries, and its own verifier in a process of its own, with its start."""
    from audit import export, signer

    with tempfile.TemporaryDirectory() as place:
        path, vkey = Path(place) / "bundle.zip", Path(place) / "log.vkey"
        vkey.write_text(f"{signer.published_key()}\n", encoding="utf-8")
        indexes = random.sample(range(entries), min(BUNDLED, entries))
        written_s = timed(lambda: export.bundle(path, indexes=indexes))
        with zipfile.ZipFile(path) as bundle:
            bundle.extract("verify.py", place)
        command = [sys.executable, "-S", "-I", f"{place}/verify.py", str(path), "--vkey", str(vkey)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        verified_s = timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "bundle_entries": len(indexes),
            "bundle_kb": path.stat().st_size // 1000,
            "bundle_written_s": round(written_s, 2),
            "bundle_verified_s": round(verified_s, 2),
            "bundle_verified_cpu_s": round(
                after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2
            ),
        }


def check(processes: int) -> dict[str, Any]:
    """The whole check, as `likeness audit check` does it."""
    from audit import fsck

    began = time.perf_counter()
    problems = fsck.check(parallel=processes)
    return {
        "check_processes": processes,
        "check_s": round(time.perf_counter() - began, 1),
        "check_problems": len(problems),
    }


def storage(entries: int) -> dict[str, float]:
    """Bytes of an entry, by table: rows and indexes."""
    from django.db import connections

    found = {}
    with connections["owner"].cursor() as cursor:
        for table in TABLES:
            cursor.execute("SELECT pg_table_size(%s), pg_indexes_size(%s)", [table, table])
            rows, indexes = cursor.fetchone()
            found[f"{table}_rows_b"] = round(rows / entries, 1)
            found[f"{table}_indexes_b"] = round(indexes / entries, 1)
        cursor.execute("SELECT avg(octet_length(body)) FROM audit_entry TABLESAMPLE SYSTEM (1)")
        found["body_b"] = round(float(cursor.fetchone()[0]))
    return found


def main() -> None:
    """Make a server, fill it, measure, take it away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    entries = parser.parse_args().entries
    home = Path(tempfile.mkdtemp(prefix="lk-"))
    home.chmod(0o711)
    os.environ["LIKENESS_HOME"] = str(home)
    setup()
    from django.db import connections

    from likeness.embedded.postgres import EmbeddedPostgres
    from likeness.embedded.prepare import prepare_database

    prepare_database()
    try:
        for part in (
            lambda: fill(entries),
            lambda: storage(entries),
            lambda: proofs(entries),
            lambda: searches(entries),
            lambda: verification(entries),
            lambda: check(2),
        ):
            sys.stdout.write(json.dumps(part()) + "\n")
            sys.stdout.flush()
    finally:
        connections.close_all()
        EmbeddedPostgres(home).stop()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
