import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections, transaction

from audit import checkpoint, fsck, merkle, sequencer, services, signer, store
from audit.events import Actor, GenerationStarted
from audit.tiles import TileTree

ROOT = Path(__file__).parents[2]
ACTOR = Actor("usr_0123456789abcdef", "demo")
KILLS, WRITERS = 8, 3


def ask(statement):
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


@pytest.fixture
def process(live_database, home, tmp_path):
    facts = {
        "DATABASES": {alias: dict(connections.settings[alias]) for alias in ("default", "sequencer")},
        "LIKENESS_HOME": str(home),
        "LIKENESS_KEYS": str(settings.LIKENESS_KEYS),
        "LIKENESS_KEYRING": settings.LIKENESS_KEYRING,
        "LIKENESS_LOG_ORIGIN": settings.LIKENESS_LOG_ORIGIN,
    }
    (tmp_path / "settings.json").write_text(json.dumps(facts))
    signer.local()
    command = [
        sys.executable,
        str(Path(__file__).with_name("sequencer_process.py")),
        str(tmp_path / "settings.json"),
    ]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    running = []

    def start():
        running.append(subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL))
        return running[-1]

    yield start
    for child in running:
        child.kill()
        child.wait()


class Writers:
    """Threads that append until told to stop, and remember what was tried and what was acknowledged."""

    def __init__(self):
        self.tried, self.acknowledged, self._stop = [], [], threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]

    def _write(self):
        while not self._stop.wait(0.005):
            with transaction.atomic():
                event_id = services.append(GenerationStarted(job="job-1"), actor=ACTOR)
                self.tried.append(event_id)
                if random.random() < 0.1:  # noqa: S311 - test data
                    transaction.set_rollback(True)
                    continue
            self.acknowledged.append(event_id)
        connections.close_all()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def wait_until(fact, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "the sequencer made no progress"
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_sequencer_loses_doubles_and_skips_nothing(process):
    with Writers() as writers:
        for _ in range(KILLS):
            child = process()
            before = ask("SELECT count(*) FROM audit_checkpoint")
            wait_until(lambda before=before: ask("SELECT count(*) FROM audit_checkpoint") > before)
            time.sleep(random.uniform(0, 0.15))  # noqa: S311 - test data
            child.kill()
            assert child.wait() == -9
    last = process()
    wait_until(lambda: ask("SELECT count(*) FROM audit_outbox") == [(0,)])
    last.terminate()
    assert last.wait(20) == 0

    logged = [row[0] for row in ask("SELECT event_id FROM audit_entry WHERE idx > 0 ORDER BY idx")]
    assert len(logged) == len(set(logged))
    assert set(writers.acknowledged) == set(logged) <= set(writers.tried)
    assert len(writers.acknowledged) > 100
    assert ask("SELECT max(idx) + 1 = count(*) FROM audit_entry") == [(True,)]
    assert ask("SELECT count(*) FROM audit_refused") == [(0,)]
    assert fsck.check() == []
    assert_every_head_extends_the_one_before()


def assert_every_head_extends_the_one_before():
    heads = [
        checkpoint.open_checkpoint(note, signer.published_key())
        for (note,) in ask("SELECT note FROM audit_checkpoint ORDER BY size")
    ]
    with connections["auditor"].cursor() as cursor:
        for old, new in itertools.pairwise(heads):
            proof = TileTree(new.size, store.reader(cursor)).consistency(old.size)
            merkle.verify_consistency(old.size, new.size, old.root, new.root, proof)
    assert len(heads) >= KILLS


def test_sequencer_survives_the_loss_of_its_session(live_database, home):
    stop = threading.Event()
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: ask("SELECT count(*) FROM audit_checkpoint") == [(1,)])
        ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'likeness-sequencer' AND datname = current_database()"
        )
        with transaction.atomic():
            services.append(GenerationStarted(job="job-1"), actor=ACTOR)
        wait_until(lambda: ask("SELECT max(size) FROM audit_checkpoint") == [(2,)])
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
