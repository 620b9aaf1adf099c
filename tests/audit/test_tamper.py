"""What somebody with the superuser's rights, or the log's key too, can do, and who notices."""

import json

import pytest
from django.db import connections, transaction

from audit import (
    checkpoint,
    fsck,
    merkle,
    pushing,
    selectors,
    sequencer,
    services,
    signer,
    store,
    witness,
    witnesses,
)
from audit.checkpoint import Checkpoint
from audit.errors import SignerRefusedError, SigningFrozenError
from audit.events import Actor, GateDecided
from audit.leaf import BLOCK, KeyKind, key
from audit.pushing import Pusher
from audit.sequencer import Sequencer
from audit.tiles import Edge
from audit.witness import Witness

ACTOR = Actor("usr_0123456789abcdef", "demo")
TABLES = ("audit_entry", "audit_tile", "audit_checkpoint", "audit_cosignature", "audit_key", "audit_refused")


def ask(statement, *values):
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else None


def grow(*batches):
    with sequencer.connect() as connection:
        writer = Sequencer(connection, signer=signer.local())
        writer.start()
        for count in batches:
            with transaction.atomic():
                for number in range(count):
                    event = GateDecided(job=f"job-{number}", stage="submit", decision="refuse")
                    services.append(event, actor=ACTOR)
            writer.step(1000)
            writer.publish()


@pytest.fixture
def outside(live_database, home, monkeypatch, tmp_path):
    """A witness of somebody else, reached without a network, that has cosigned 300 and then 700 entries."""
    grow(299)
    place = tmp_path / "outside"
    witness.create(place, name="regulator.example/w")
    witness.trust(place, signer.local().key)
    vkey = (place / "witness.vkey").read_text().strip()
    log = signer.local().key
    (home / "log.policy").write_text(
        f"log {log}\nwitness regulator {vkey} https://regulator.example\nquorum regulator\n"
    )
    made = Witness(place)
    monkeypatch.setattr(pushing, "post", lambda _, body: made.add_checkpoint(body.encode()))
    push()
    grow(300, 100)
    push()
    assert selectors.witness_health().size == 700
    assert fsck.check() == []
    for table in TABLES:
        ask(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield made
    made.close()


def push():
    with sequencer.connect() as connection:
        Pusher(sequencer.connect)._ask_all(connection, witnesses.load())


def forge(index):
    """A new body with its leaf hash and its search key."""
    [(body,)] = ask("SELECT body FROM audit_entry WHERE idx = %s", index)
    forged = json.dumps(
        json.loads(bytes(body)) | {"decision": "allow"}, sort_keys=True, separators=(",", ":")
    )
    leaf_hash, before = merkle.leaf_hash(forged.encode()), merkle.leaf_hash(bytes(body))
    ask("UPDATE audit_entry SET body = %s, leaf_hash = %s WHERE idx = %s", forged.encode(), leaf_hash, index)
    new, old = key(KeyKind.LEAF, leaf_hash.hex()), key(KeyKind.LEAF, before.hex())
    ask("UPDATE audit_key SET k = %s WHERE k = %s", new, old)


def rewrite(home):
    """Make every tile, every checkpoint and the signer's memory anew with the log's stolen key."""
    seed = (home / "keys" / "log.key").read_bytes()
    origin, heads = signer.local().key.name, dict(ask("SELECT size, 1 FROM audit_checkpoint"))
    ask("DELETE FROM audit_tile")
    edge, note = Edge(0, []), ""
    for (leaf_hash,) in ask("SELECT leaf_hash FROM audit_entry ORDER BY idx"):
        for tile in edge.append(bytes(leaf_hash)):
            ask("INSERT INTO audit_tile VALUES (%s, %s, %s, %s)", tile.level, tile.n, tile.root, tile.hashes)
        if edge.size in heads:
            note = checkpoint.sign(Checkpoint(origin, edge.size, edge.root()), seed)
            ask(
                "UPDATE audit_checkpoint SET root = %s, note = %s WHERE size = %s",
                edge.root(),
                note,
                edge.size,
            )
    (home / "signer" / "checkpoint").write_text(note)


def assert_frozen(status):
    health = selectors.witness_health()
    assert (health.frozen, health.frozen_by) == (True, "regulator.example/w")
    [(evidence,)] = ask("SELECT evidence FROM audit_alarm")
    assert f"answered {status}" in evidence
    with pytest.raises(SigningFrozenError):
        grow(1)


def test_edited_row_is_found_locally(outside):
    forge(123)
    problems = fsck.check()
    assert 123 in {problem.index for problem in problems}
    grow(1)
    assert 123 in {problem.index for problem in fsck.check()}


def test_rewritten_log_is_found_by_the_witness_alone(outside, home):
    forge(123)
    rewrite(home)
    assert fsck.check() == []
    pushing_again = Pusher(sequencer.connect)
    with sequencer.connect() as connection:
        assert pushing.newest(connection)[0] == 700
        assert (
            outside.add_checkpoint(
                str(pushing.request(connection, 700, *pushing.newest(connection))).encode()
            ).status
            == 422
        )
    grow(50)
    assert fsck.check() == []
    with sequencer.connect() as connection:
        pushing_again._ask_all(connection, witnesses.load())
    assert_frozen(422)


def cut(home, size):
    """Delete the tail in every table, and give the signer the memory of before."""
    ask("DELETE FROM audit_cosignature WHERE size > %s", size)
    ask("DELETE FROM audit_entry WHERE idx >= %s", size)
    ask("DELETE FROM audit_key WHERE block >= %s", size // BLOCK)
    ask("DELETE FROM audit_checkpoint WHERE size > %s", size)
    ask("DELETE FROM audit_tile WHERE level > 0 OR (n + 1) * 256 > %s", size)
    [(note,)] = ask("SELECT note FROM audit_checkpoint WHERE size = %s", size)
    mark = (home / "signer" / "checkpoint").read_text()
    (home / "signer" / "checkpoint").write_text(note)
    return mark


def test_cut_log_is_found_by_the_witness_that_remembers_more(outside, home):
    cut(home, 600)
    assert fsck.check() == []
    push()
    assert_frozen(409)


def test_cut_and_regrown_log_is_found_by_the_witness(outside, home):
    cut(home, 600)
    grow(200)
    assert fsck.check() == []
    push()
    assert_frozen(422)


def test_cut_log_whose_signer_remembers_is_not_signed(outside, home):
    mark = cut(home, 600)
    (home / "signer" / "checkpoint").write_text(mark)
    assert "signer" in {problem.what for problem in fsck.check()}
    with pytest.raises(SignerRefusedError, match="holds 600 entries, 700 were signed") as refused:
        grow(1)
    assert "likeness audit replay DIR" in refused.value.hint
    assert "likeness audit reopen --origin" in refused.value.hint


def test_entry_proven_before_the_rewrite_still_convicts_the_log(outside, home):
    proof = checkpoint.TlogProof.parse(selectors.proof(123))
    leaf_hash = selectors.entry(123).leaf_hash
    forge(123)
    rewrite(home)
    head = witnesses.load().open_checkpoint(proof.note)
    merkle.verify_inclusion(123, head.size, bytes.fromhex(leaf_hash), proof.hashes, head.root)
    assert selectors.entry(123).leaf_hash != leaf_hash
    with connections["auditor"].cursor() as cursor:
        assert store.signed_size(cursor) == head.size
    assert selectors.checkpoint().root != head.root.hex()
