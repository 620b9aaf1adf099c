"""How long an auditor waits for a page of hits in a large log: resolved, found, proven and logged.

    python -m tests.bench.bench_provenance [--entries 1000000] [--faces 1000]

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


def main() -> None:
    """Make a server, fill it, measure, take it away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--faces", type=int, default=1_000)
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
    finally:
        connections.close_all()
        EmbeddedPostgres(home).stop()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
