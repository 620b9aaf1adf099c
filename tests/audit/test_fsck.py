import json

import pytest
from django.db import connections, transaction

from audit import fsck, leaf, merkle, sequencer, services, signer
from audit.errors import LogKeyMissingError
from audit.events import Actor, GateDecided
from audit.leaf import KeyKind
from audit.sequencer import Sequencer

ACTOR = Actor("usr_0123456789abcdef", "demo")
TABLES = ("audit_entry", "audit_tile", "audit_checkpoint", "audit_cosignature", "audit_key", "audit_refused")


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


@pytest.fixture
def filled(live_database, home):
    sequence(100, 199, 1, 1, 60)


@pytest.fixture
def unlocked(filled):
    assert fsck.check() == []
    for table in TABLES:
        ask(f"ALTER TABLE {table} DISABLE TRIGGER USER")


def edit(index, **more):
    """What an attacker with the superuser's rights does: a new body with its leaf hash."""
    [(body,)] = ask("SELECT body FROM audit_entry WHERE idx = %s", index)
    forged = json.dumps(
        json.loads(bytes(body)) | {"decision": "allow"}, sort_keys=True, separators=(",", ":")
    ).encode()
    ask(
        "UPDATE audit_entry SET body = %s, leaf_hash = %s WHERE idx = %s",
        forged,
        merkle.leaf_hash(forged),
        index,
    )
    return bytes(body), forged


def mend(body, forged):
    """Let the search index know the forged entry instead of the true one."""
    new, old = (leaf.key(KeyKind.LEAF, merkle.leaf_hash(one).hex()) for one in (forged, body))
    ask("UPDATE audit_key SET k = %s WHERE k = %s", new, old)


def named(problems):
    return {problem.index for problem in problems if problem.index is not None}


def test_log_that_never_started_cannot_be_checked(live_database, home):
    with pytest.raises(LogKeyMissingError):
        fsck.check()


def inspect():
    """What a check would find in this transaction, which is rolled back afterwards."""
    keys = signer.published_keys()
    with connections["owner"].cursor() as cursor:
        problems = fsck.inspect(cursor, keys=keys, mark=signer.local().mark())
    transaction.set_rollback(True, using="owner")
    return problems


def test_edited_entry_is_named(unlocked, subtests):
    for index in (0, 7, 255, 256, 300, 301, 351):
        with subtests.test(index=index), transaction.atomic(using="owner"):
            edit(index)
            problems = inspect()
            assert named(problems) == {index}
            assert any(problem.what.startswith("checkpoint") for problem in problems)


def test_edited_entry_of_the_block_that_is_not_full_is_found_by_the_heads(unlocked):
    edit(361)
    [problem] = fsck.check()
    assert (problem.index, problem.what) == (None, "checkpoint 362")
    assert "one of the entries 302 to 361" in problem.message


def test_check_sees_an_edit_that_was_committed(unlocked):
    edit(9)
    assert named(fsck.check()) == {9}


def test_edited_entry_whose_search_keys_were_mended_is_named_by_the_heads(unlocked):
    body, forged = edit(300)
    mend(body, forged)
    [problem] = fsck.check()
    assert (problem.index, problem.what) == (300, "checkpoint 301")


def test_edited_entry_is_named_by_its_tile_when_its_keys_were_mended(unlocked):
    body, forged = edit(7)
    mend(body, forged)
    assert named(fsck.check()) == {7}


OF_ENTRY_9 = f" WHERE block = 0 AND k = {leaf.key(KeyKind.JOB, 'job-8')}"
EDITS = {
    "leaf hash": (
        "ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_leaf_hash;"
        "UPDATE audit_entry SET leaf_hash = sha256('x') WHERE idx = 9",
        {9},
    ),
    "event id": ("UPDATE audit_entry SET event_id = gen_random_uuid() WHERE idx = 9", {9}),
    "body no event": (
        "UPDATE audit_entry SET body = 'ab', leaf_hash = sha256('\\x006162') WHERE idx = 9",
        {9},
    ),
    "entry deleted": ("DELETE FROM audit_entry WHERE idx = 9", {9}),
    "tail deleted": (
        "DELETE FROM audit_entry WHERE idx > 300; DELETE FROM audit_key WHERE block > 18",
        {301},
    ),
    "entry moved": (
        "DELETE FROM audit_entry WHERE idx = 8; UPDATE audit_entry SET idx = 8 WHERE idx = 9",
        {9},
    ),
    "tile hashes": ("UPDATE audit_tile SET hashes = overlay(hashes placing '\\xff' from 33)", {1}),
    "tile root": ("UPDATE audit_tile SET root = sha256('x')", set()),
    "tile deleted": ("DELETE FROM audit_tile", set()),
    "tile added": ("INSERT INTO audit_tile SELECT 0, 1, root, hashes FROM audit_tile", set()),
    "checkpoint note": ("UPDATE audit_checkpoint SET note = replace(note, '301', '302')", set()),
    "checkpoint root": ("UPDATE audit_checkpoint SET root = sha256('x') WHERE size = 301", set()),
    "checkpoint size": ("UPDATE audit_checkpoint SET size = 299 WHERE size = 301", set()),
    "checkpoint deleted": ("DELETE FROM audit_checkpoint WHERE size = 362", set()),
    "search key moved": ("UPDATE audit_key SET block = 1" + OF_ENTRY_9, {0, 16}),  # noqa: S608 - of this file
    "search key deleted": ("DELETE FROM audit_key" + OF_ENTRY_9, {0}),  # noqa: S608
    "search key of nothing": ("UPDATE audit_key SET block = 5000" + OF_ENTRY_9, {0, 80_000}),  # noqa: S608
    "search key of the open block": ("INSERT INTO audit_key VALUES (1, 22)", {352}),
}


def test_every_edit_of_a_row_is_found(unlocked, subtests):
    for name, (statements, entries) in EDITS.items():
        with subtests.test(name), transaction.atomic(using="owner"):
            ask(statements)
            problems = inspect()
            assert problems
            assert entries <= named(problems)


def test_missing_or_damaged_mark_is_found(filled):
    path = signer.home() / signer.MARK_FILE
    path.unlink()
    assert [problem.what for problem in fsck.check()] == ["signer"]
    for content in (b"", b"\xff", b"garbage"):
        path.write_bytes(content)
        assert [problem.what for problem in fsck.check()] == ["signer"]


def test_cut_log_is_found_by_the_signers_memory_when_every_row_agrees(unlocked):
    ask("DELETE FROM audit_entry WHERE idx > 100; DELETE FROM audit_key WHERE block > 5")
    ask("DELETE FROM audit_checkpoint WHERE size > 101; DELETE FROM audit_tile")
    [problem] = fsck.check()
    assert (problem.what, problem.index) == ("signer", 101)


def test_refused_outbox_row_is_reported(filled):
    ask("INSERT INTO audit_refused VALUES (1, gen_random_uuid(), 'body', 'other bytes')")
    assert [problem.what for problem in fsck.check()] == ["refused"]


def test_log_is_checked_while_it_grows_and_tells_how_far_it_is(filled):
    append(10)
    seen = []
    assert fsck.check(progress=lambda done, total: seen.append((done, total))) == []
    assert seen[-1] == (362, 362)
