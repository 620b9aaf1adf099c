"""How long an auditor waits for a page of hits in a large log: resolved, found, proven and logged.

    python -m tests.bench.bench_provenance [--entries 1000000] [--faces 1000] [--prints 1000000]

A server of its own, the log filled as in bench_audit_size. Each search is the whole of
`likeness.provenance_search.search`: 50 hits a page, each proof checked against the signed head.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.bench.bench_audit import setup
from tests.bench.bench_audit_size import PEOPLE, PER_JOB, fill, quantiles, timed

SEARCHES = 40


def enrol(faces: int) -> None:
    """People with one picture each, in the tenant of the filled log."""
    from audit.events import Actor
    from consent import services
    from tests.consent import fakes

    by = Actor("usr_ffffffffffffffff", "bench", frozenset({"requester"}))
    for number in range(faces):
        picture = fakes.picture(f"p{number}")
        services.enrol(name=f"Person {number}", status="living", kind="likeness", portraits=[picture], by=by)


def searches(entries: int, faces: int) -> dict[str, Any]:
    """Milliseconds of a page of hits, by what was asked for."""
    from audit.events import Actor
    from likeness import provenance_search
    from likeness.provenance_query import Query
    from tests.consent import fakes

    by = Actor("usr_ffffffffffffffff", "bench", frozenset({"auditor"}))

    def at() -> int:
        return random.randrange(entries - 1)  # noqa: S311 - test data

    now = datetime.now(UTC)
    asked = {
        "output": lambda: Query(output=f"{at():064x}"),
        "job": lambda: Query(job=f"{at() // PER_JOB:032x}"),
        "operator": lambda: Query(operator=f"usr_{at() % PEOPLE:016x}"),
        "operator_and_model": lambda: Query(operator=f"usr_{at() % PEOPLE:016x}", model="2" * 64),
        "model": lambda: Query(model="1" * 64),
        "model_that_is_nowhere": lambda: Query(model="f" * 64),
        "hour": lambda: Query(since=now - timedelta(hours=1), until=now),
        "type_before": lambda: Query(event="generation.finished", before=at()),
        "person": lambda: Query(person=f"Person {random.randrange(faces)}"),  # noqa: S311 - test data
        "photo": lambda: Query(photo=fakes.picture(f"p{random.randrange(faces)}", 7)),  # noqa: S311
    }
    told = {}
    for name, make in asked.items():
        queries = [make() for _ in range(SEARCHES)]
        told[f"{name}_ms"] = quantiles(
            [timed(lambda query=query: provenance_search.search(query, by=by)) for query in queries]
        )
    return told


_PRINTS = """
INSERT INTO generation_outputprint (job_id, second, hash)
SELECT (array(SELECT id FROM generation_job ORDER BY id))[1 + at %% %(jobs)s], at, (random() * 2 - 1) * 9.2e18
FROM generate_series(1, %(prints)s) at
"""


def lookalikes(prints: int) -> dict[str, Any]:
    """Milliseconds of looking up 6 frames as they are, mirrored and turned (30 hashes), none of them kept."""
    from django.db import connections

    from generation.models import Job, Media
    from generation.prints import alike

    media = Media.objects.create(tenant="bench", sha256="0" * 64, bytes=1, kind="video")
    count = max(1, prints // 60)
    Job.objects.bulk_create(Job(tenant="bench", media=media, identity_id="i") for _ in range(count))
    with connections["owner"].cursor() as cursor:
        cursor.execute(_PRINTS, {"jobs": count, "prints": prints})
        cursor.execute("ANALYZE generation_outputprint")
    asked = [[random.getrandbits(64) for _ in range(30)] for _ in range(SEARCHES)]
    times = [timed(lambda hashes=hashes: alike(hashes, tenant="bench")) for hashes in asked]
    return {"prints": prints, "lookalike_ms": quantiles(times)}


def main() -> None:
    """Make a server, fill it, measure, take it away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--faces", type=int, default=1_000)
    parser.add_argument("--prints", type=int, default=1_000_000)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="lk-"))
    home.chmod(0o711)
    os.environ["LIKENESS_HOME"] = str(home)
    setup()
    from django.conf import settings
    from django.db import connections

    from generation import loaded
    from likeness.embedded.postgres import EmbeddedPostgres
    from likeness.embedded.prepare import prepare_database

    settings.LIKENESS_FACE_EMBEDDER = "tests.consent.fakes.analyse"
    thresholds = SimpleNamespace(same=0.9, review=1.0)
    loaded.face_models = lambda: SimpleNamespace(embedder=SimpleNamespace(thresholds=thresholds))  # type: ignore[assignment,return-value]  # no weights here
    prepare_database()
    try:
        sys.stdout.write(json.dumps(fill(options.entries)) + "\n")
        enrol(options.faces)
        sys.stdout.write(json.dumps(searches(options.entries, options.faces)) + "\n")
        sys.stdout.write(json.dumps(lookalikes(options.prints)) + "\n")
    finally:
        connections.close_all()
        EmbeddedPostgres(home).stop()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
