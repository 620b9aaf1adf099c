import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections, transaction

from audit import (
    checkpoint,
    policy,
    pushing,
    selectors,
    sequencer,
    services,
    signer,
    witness,
    witness_http,
    witnesses,
)
from audit.errors import SigningFrozenError, WitnessError
from audit.events import Actor, GateDecided
from audit.pushing import Pusher
from audit.sequencer import Sequencer
from audit.witness import Answer, Witness

ACTOR = Actor("usr_0123456789abcdef", "demo")


def ask(statement, *values):
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else None


def append(count):
    with transaction.atomic():
        for number in range(count):
            services.append(GateDecided(job=f"job-{number}", stage="submit", decision="refuse"), actor=ACTOR)


def sequence(*batches):
    with sequencer.connect() as connection:
        writer = Sequencer(connection, signer=signer.local())
        writer.start()
        for count in batches:
            append(count)
            writer.step(1000)
            writer.publish()


def wait_until(fact, timeout_s=40):
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def make_witness(home):
    """Run a witness at HOME/<folder>; the one in HOME/witness is the local one."""
    running = []

    def make(folder="witness"):
        place = home / folder
        if not (place / "witness.key").exists():
            witness.create(place, name=f"{folder}.example/w")
            witness.trust(place, signer.local().key)
        (place / "url").unlink(missing_ok=True)
        stop = threading.Event()
        arguments = {"host": "127.0.0.1", "port": 0, "stop": stop}
        thread = threading.Thread(target=witness_http.serve, args=(place,), kwargs=arguments)
        thread.start()
        running.append((stop, thread))
        wait_until((place / "url").exists)
        return place

    yield make
    for stop, thread in running:
        stop.set()
        thread.join(10)


@pytest.fixture
def pusher(live_database, home):
    made = Pusher(sequencer.connect)
    yield made
    made.stop()


def name(home, *places, quorum, extra=""):
    """Write a policy that names witnesses by the folders of their homes."""
    lines = [f"log {signer.local().key}"]
    for place in places:
        url = (place / "url").read_text().strip() if (place / "url").exists() else ""
        lines.append(f"witness {place.name} {(place / 'witness.vkey').read_text().strip()} {url}".rstrip())
    (home / "log.policy").write_text("\n".join([*lines, *extra.split("\n"), f"quorum {quorum}"]) + "\n")


def test_log_without_witness_or_policy_says_so(live_database, home, pusher):
    sequence(3)
    pusher.start()
    health = selectors.witness_health()
    assert (health.quorum, health.witnesses, health.size, health.signed_size) == ("none", (), 0, 4)
    assert not health.alarm
    assert not (home / "log.policy").exists()


def test_local_witness_is_named_asked_and_shown_as_the_same_operator(
    live_database, home, make_witness, pusher
):
    place = make_witness()
    sequence(3)
    pusher.start()
    wait_until(lambda: selectors.witness_health().size == 4)
    health = selectors.witness_health()
    [state] = health.witnesses
    assert (state.name, state.same_operator, state.size, health.quorum) == ("demo", True, 4, "demo")
    assert not health.alarm
    assert "same operator" in (home / "log.policy").read_text()
    proof = checkpoint.TlogProof.parse(selectors.proof(2))
    assert witnesses.load().open_checkpoint(proof.note).size == 4
    assert witnesses.local_key() == checkpoint.VerifierKey.parse((place / "witness.vkey").read_text().strip())


def test_sequencer_pushes_while_it_works(home, make_witness, sequencing):
    wait_until(lambda: (home / "signer" / "log.vkey").exists())
    make_witness()
    append(2)
    wait_until(lambda: selectors.witness_health().size == 3)
    append(2)
    wait_until(lambda: selectors.witness_health().size == 5)


def test_proofs_use_the_newest_head_with_a_quorum(live_database, home, make_witness, pusher):
    first, second = make_witness("one"), make_witness("two")
    name(home, first, second, quorum="both", extra="group both all one two")
    sequence(3)
    pusher.start()
    wait_until(lambda: selectors.witness_health().size == 4)
    pusher.stop()
    with sequencer.connect() as connection:
        sequence(5)
        head = pushing.newest(connection)
        only = Witness(first)
        asked = pushing.request(connection, 4, *head)
        key = checkpoint.VerifierKey.parse((first / "witness.vkey").read_text().strip())
        pushing.accept(connection, key, *head, only.add_checkpoint(str(asked).encode()).body)
        only.close()
    assert selectors.checkpoint().size == 9
    assert selectors.witness_health().size == 4
    assert (
        checkpoint.Checkpoint.parse(
            checkpoint.TlogProof.parse(selectors.proof(2)).note.partition("\n\n")[0] + "\n"
        ).size
        == 4
    )
    assert "\n9\n" in selectors.proof(7)


def test_stale_and_unreadable_policies_are_alarms(live_database, home, make_witness, monkeypatch):
    place = make_witness()
    sequence(1)
    name(home, place, quorum="witness")
    assert selectors.witness_health().stale
    with sequencer.connect() as connection:
        head = pushing.newest(connection)
        made = Witness(place, now=lambda: (datetime.now(UTC) - timedelta(hours=2)).timestamp())
        answer = made.add_checkpoint(str(pushing.request(connection, 0, *head)).encode())
        pushing.accept(connection, made.key, *head, answer.body)
        assert selectors.witness_health().size == 2
        assert selectors.witness_health().stale
        made._now = time.time
        pushing.accept(
            connection,
            made.key,
            *head,
            made.add_checkpoint(str(pushing.request(connection, 2, *head)).encode()).body,
        )
        made.close()
    assert not selectors.witness_health().alarm
    (home / "log.policy").write_text("quorum nobody\n")
    assert selectors.witness_health().fault
    assert selectors.witness_health().alarm
    assert selectors.proof(0)


def test_witness_that_was_away_gets_the_newest_head_when_it_is_back(
    live_database, home, make_witness, pusher, monkeypatch
):
    monkeypatch.setattr(pushing, "PAUSE_S", 0.05)
    place = make_witness()
    sequence(2)
    name(home, place, quorum="witness")
    (place / "url").write_text("http://127.0.0.1:9\n")
    pusher.start()
    time.sleep(0.3)
    assert selectors.witness_health().size == 0
    make_witness()
    wait_until(lambda: selectors.witness_health().size == 3)


def test_witness_that_knows_an_older_or_newer_size_is_asked_from_there(
    live_database, home, make_witness, pusher
):
    place = make_witness()
    sequence(2)
    with sequencer.connect() as connection:
        made = Witness(place)
        assert (
            made.add_checkpoint(
                str(pushing.request(connection, 0, *pushing.newest(connection))).encode()
            ).status
            == 200
        )
        made.close()
    sequence(5)
    pusher.start()
    wait_until(lambda: selectors.witness_health().size == 8)
    assert not selectors.witness_health().frozen


@pytest.fixture
def silent():
    """A server that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_witness_that_never_answers_holds_nobody_up(live_database, home, make_witness, silent, monkeypatch):
    monkeypatch.setattr(pushing, "TIMEOUT_S", 3.0)
    place = make_witness("one")
    sequence(0)
    name(home, place, quorum="one")
    (home / "log.policy").write_text(
        (home / "log.policy").read_text().replace((place / "url").read_text().strip(), silent)
    )
    stop = threading.Event()
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    try:
        for _ in range(5):
            with transaction.atomic():
                event = GateDecided(job="job-1", stage="submit", decision="refuse")
                event_id = services.append(event, actor=ACTOR)
            assert selectors.receipt(event_id, timeout_s=2.5)
    finally:
        stop.set()
        thread.join(8)
    assert not thread.is_alive()


def test_head_that_does_not_change_is_confirmed_again(live_database, home, make_witness, pusher, monkeypatch):
    monkeypatch.setattr(pushing, "CONFIRM_S", 0.0)
    monkeypatch.setattr(pushing, "PAUSE_S", 0.3)
    monkeypatch.setattr(pushing, "LATEST_S", 0.3)
    make_witness()
    sequence(2)
    pusher.start()
    wait_until(lambda: ask("SELECT count(DISTINCT time) FROM audit_cosignature")[0][0] > 1)
    assert selectors.checkpoint().note.count("witness.example/w") == 1


ANSWERS = {
    "no cosignature": Answer(200, ""),
    "garbage": Answer(200, "garbage\n"),
    "other key's": Answer(200, None),
    "error": Answer(500, "broken\n"),
    "unknown log": Answer(404, "unknown\n"),
    "no size": Answer(409, "many\n", "text/x.tlog.size"),
    "always another size": Answer(409, "1\n", "text/x.tlog.size"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_useless_answer_is_neither_stored_nor_an_alarm(
    live_database, home, make_witness, monkeypatch, answer
):
    place = make_witness()
    sequence(2)
    name(home, place, quorum="witness")
    if answer.body is None:
        head = checkpoint.open_checkpoint(selectors.checkpoint().note, selectors.log_key())
        answer = Answer(200, checkpoint.cosign(head, name="witness.example/w", seed=bytes(32), time=1))
    monkeypatch.setattr(pushing, "post", lambda *_: answer)
    with sequencer.connect() as connection:
        assert 0 < Pusher(sequencer.connect)._ask_all(connection, witnesses.load()) <= pushing.LATEST_S
    assert ask("SELECT count(*) FROM audit_cosignature") == [(0,)]
    assert not selectors.witness_health().frozen


@pytest.mark.parametrize("url", ["http://[::bad", "http://w:99999", "nowhere", "ftp://w"])
def test_address_that_is_none_is_tried_again_later(live_database, home, make_witness, url):
    place = make_witness("one")
    sequence(0)
    name(home, place, quorum="one")
    text = (home / "log.policy").read_text()
    (home / "log.policy").write_text(text.replace((place / "url").read_text().strip(), url))
    with sequencer.connect() as connection:
        assert Pusher(sequencer.connect)._ask_all(connection, witnesses.load()) > 0
    assert not selectors.witness_health().frozen


def test_refusal_freezes_the_log_until_a_person_lets_it_go_on(live_database, home, make_witness, monkeypatch):
    place = make_witness()
    sequence(2)
    name(home, place, quorum="witness")
    monkeypatch.setattr(pushing, "post", lambda *_: Answer(422, "inconsistent\n"))
    with sequencer.connect() as connection:
        Pusher(sequencer.connect)._ask_all(connection, witnesses.load())
        health = selectors.witness_health()
        assert (health.frozen, health.frozen_by, health.alarm) == (True, "witness.example/w", True)
        evidence = (home / "signer" / "frozen").read_text()
        assert "old 0\n" in evidence
        assert "inconsistent" in evidence
        with pytest.raises(SigningFrozenError):
            sequence(1)
        assert pushing.resume(connection, by="usr_1") == evidence
        with pytest.raises(WitnessError):
            pushing.resume(connection, by="usr_1")
    assert not selectors.witness_health().frozen
    sequence(1)
    assert selectors.checkpoint().size == 5


def test_policy_says_where_a_witness_answers():
    key = checkpoint.verifier("w.example", bytes(32), checkpoint.KeyType.COSIGNATURE)
    read = policy.parse(
        f"log {checkpoint.verifier('l', bytes([1] * 32))}\nwitness w {key} https://w.example/\nquorum w\n"
    )
    assert read.urls == {"w": "https://w.example"}
