import errno
import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connections, transaction

from audit import checkpoint, fsck, keys, leaf, merkle, selectors, sequencer, services, signer, store
from audit.errors import ReceiptTimeoutError, SequencerBusyError, SignerRefusedError
from audit.events import Actor, GenerationQueued
from audit.sequencer import Sequencer
from audit.tiles import TileTree

ACTOR = Actor("usr_0123456789abcdef", "demo")


def append(count=1):
    with transaction.atomic():
        return [services.append(GenerationQueued(job=f"job-{i}"), actor=ACTOR) for i in range(count)]


def ask(alias, statement, *values):
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def put(event_id, body):
    with connections["default"].cursor() as cursor:
        cursor.execute("INSERT INTO audit_outbox (event_id, body) VALUES (%s, %s)", [event_id, body])


@pytest.fixture
def connection(live_database, home):
    with sequencer.connect() as connection:
        yield connection


@pytest.fixture
def writer(connection):
    made = Sequencer(connection, signer=signer.local())
    made.lock()
    made.start()
    return made


def drain(writer, limit=1000):
    while writer.step(limit):
        writer.publish()


def test_second_sequencer_is_refused(writer):
    with sequencer.connect() as other, pytest.raises(SequencerBusyError):
        Sequencer(other, signer=signer.local()).lock()


def test_new_log_begins_with_its_own_opening(writer):
    [(body, event_id)] = ask("default", "SELECT body, event_id FROM audit_entry")
    opened = leaf.read(bytes(body))
    assert (opened.type, opened.actor, opened.event_id) == ("log.opened", "system", event_id)
    assert opened.event["origin"] == signer.local().key.name
    assert opened.event["key"] == str(signer.published_key())
    assert ask("default", "SELECT size FROM audit_checkpoint") == [(1,)]


def test_entries_tiles_and_checkpoints_agree(writer):
    append(700)
    drain(writer, 37)
    leaves = [bytes(row[0]) for row in ask("default", "SELECT leaf_hash FROM audit_entry ORDER BY idx")]
    assert (len(leaves), writer.size) == (701, 701)
    assert ask("default", "SELECT level, n FROM audit_tile ORDER BY n") == [(0, 0), (0, 1)]
    with connections["default"].cursor() as cursor:
        tree = TileTree(701, store.reader(cursor))
        compact = merkle.CompactRange()
        for item in leaves:
            compact.push(item)
        assert tree.root() == compact.root()
    notes = ask("default", "SELECT note, size, root FROM audit_checkpoint ORDER BY size")
    assert len(notes) == 20
    for note, size, root in notes:
        head = checkpoint.open_checkpoint(note, signer.published_key())
        assert (head.size, head.root) == (size, bytes(root))
    assert head.root == tree.root()


def keys_by_block():
    found = {}
    for k, block in ask("default", "SELECT k, block FROM audit_key"):
        found.setdefault(block, set()).add(k)
    return found


def keys_of_full_blocks():
    bodies = [bytes(body) for (body,) in ask("default", "SELECT body FROM audit_entry ORDER BY idx")]
    full = range(len(bodies) // leaf.BLOCK)
    return {block: leaf.keys_of(bodies[block * leaf.BLOCK : (block + 1) * leaf.BLOCK]) for block in full}


@pytest.mark.parametrize("batch", [1, 5, 1000])
def test_full_blocks_have_the_keys_of_their_entries(writer, batch):
    append(2 * leaf.BLOCK + 3)
    drain(writer, batch)
    assert keys_by_block() == keys_of_full_blocks()
    assert len(keys_by_block()) == 2


def test_block_that_a_new_sequencer_fills_has_all_its_keys(writer, connection):
    append(leaf.BLOCK - 3)
    drain(writer)
    other = Sequencer(connection, signer=signer.local())
    other.start()
    append(2)
    drain(other)
    assert keys_by_block() == keys_of_full_blocks()
    assert len(keys_by_block()) == 1


def test_failed_batch_leaves_no_keys_in_the_open_block(writer, connection):
    append(3)
    with connection.transaction(force_rollback=True):
        writer.step(10)
    with connections["owner"].cursor() as cursor:
        cursor.execute("TRUNCATE audit_outbox")
    writer.start()
    append(leaf.BLOCK)
    drain(writer)
    assert keys_by_block() == keys_of_full_blocks()


def test_leaf_that_names_another_event_is_set_aside(writer):
    append()
    [(body,)] = ask("sequencer", "SELECT body FROM audit_outbox")
    other = uuid.uuid4()
    hidden = bytes(body).replace(b'"type"', f'"x":{{"event_id":"{other}"}},"type"'.encode())
    put(other, hidden)
    drain(writer)
    assert ask("auditor", "SELECT event_id FROM audit_refused") == [(other,)]
    assert writer.size == 2


def test_event_appended_again_with_the_same_bytes_is_dropped(writer):
    [event_id] = append()
    drain(writer)
    [(body,)] = ask("default", "SELECT body FROM audit_entry WHERE event_id = %s", event_id)
    put(event_id, bytes(body))
    append()
    drain(writer)
    assert writer.size == 3
    assert ask("auditor", "SELECT 1 FROM audit_refused") == []


def test_event_appended_again_with_other_bytes_is_set_aside(writer, caplog):
    [event_id] = append()
    drain(writer)
    other = f'{{"event_id":"{event_id}"}}'.encode()
    put(event_id, other)
    append()
    drain(writer)
    assert writer.size == 3
    [(refused_id, body, reason)] = ask("auditor", "SELECT event_id, body, reason FROM audit_refused")
    assert (refused_id, bytes(body)) == (event_id, other)
    assert "other bytes" in reason
    assert "was refused" in caplog.text


def test_row_that_is_no_event_does_not_stop_the_others(writer):
    event_id = uuid.uuid4()
    put(event_id, f'{{"event_id":"{event_id}"}}'.encode())
    append()
    drain(writer)
    assert writer.size == 2
    assert ask("auditor", "SELECT event_id FROM audit_refused") == [(event_id,)]


def test_failed_batch_leaves_rows_and_a_new_start_takes_them(writer, connection):
    append(3)
    with connection.transaction(force_rollback=True):
        writer.step(10)
    assert ask("default", "SELECT count(*) FROM audit_entry") == [(1,)]
    writer.start()
    drain(writer)
    assert writer.size == 4


def test_batch_committed_but_not_signed_is_signed_at_the_next_start(writer, connection):
    append(3)
    writer.step(10)
    assert ask("default", "SELECT max(size) FROM audit_checkpoint") == [(1,)]
    Sequencer(connection, signer=signer.local()).start()
    assert ask("default", "SELECT max(size) FROM audit_checkpoint") == [(4,)]


def test_head_signed_but_not_stored_is_stored_at_the_next_start(writer, connection):
    append(3)
    writer.step(10)
    with connection.transaction(force_rollback=True):
        writer.publish()
    assert signer.local().mark().size == 4
    Sequencer(connection, signer=signer.local()).start()
    assert ask("default", "SELECT max(size) FROM audit_checkpoint") == [(4,)]


def test_database_behind_the_signer_is_refused_before_anything_is_written(live_database, home):
    mine = signer.local()
    mine.sign(checkpoint.Checkpoint(mine.key.name, 5, bytes(32)), ())
    with sequencer.connect() as connection, pytest.raises(SignerRefusedError, match="5 were signed"):
        Sequencer(connection, signer=mine).start()
    assert ask("default", "SELECT count(*) FROM audit_entry") == [(0,)]


def test_lost_mark_is_refused_and_not_begun_anew(writer, connection):
    (signer.home() / signer.MARK_FILE).unlink()
    with pytest.raises(SignerRefusedError, match="remembers none"):
        Sequencer(connection, signer=signer.local()).start()


def test_body_beyond_65535_bytes_never_gets_in(live_database):
    event_id = uuid.uuid4()
    body = f'{{"event_id":"{event_id}","x":"{"x" * 65_536}"}}'.encode()
    with pytest.raises(IntegrityError, match="body_size"):
        put(event_id, body)


@pytest.mark.parametrize("body", [b"{}", b'{"event_id":"00000000-0000-0000-0000-000000000000"}', b"\xff\xfe"])
def test_body_without_its_own_id_never_gets_in(live_database, body):
    with pytest.raises(IntegrityError, match="body_id"):
        put(uuid.uuid4(), body)


def test_same_event_twice_in_one_batch_is_refused_by_the_outbox(live_database):
    [event_id] = append()
    with pytest.raises(IntegrityError, match="event_id"):
        put(event_id, f'{{"event_id":"{event_id}"}}'.encode())


def test_clock_that_runs_backwards_does_not_change_the_order(writer):
    now, ids = datetime.now(UTC), [uuid.uuid4() for _ in range(40)]
    for number, event_id in enumerate(ids):
        at = now - timedelta(hours=number)
        put(event_id, leaf.encode(GenerationQueued(job="job-1"), actor=ACTOR, event_id=event_id, at=at))
    drain(writer, 7)
    logged = ask("default", "SELECT event_id FROM audit_entry WHERE idx > 0 ORDER BY idx")
    assert [row[0] for row in logged] == ids
    assert fsck.check() == []


@pytest.fixture
def at_work(live_database, home):
    """The loop beside the test, which tries again at once."""
    stop = threading.Event()
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequencer, "RETRY_S", 0.02)
        thread.start()
        yield
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON {} FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
    ALTER TABLE {} ENABLE ALWAYS TRIGGER full_disk
"""


def wait_for(text, caplog):
    deadline = time.monotonic() + 20
    while text not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert text in caplog.text


@pytest.mark.parametrize("table", ["audit_entry", "audit_key", "audit_checkpoint"])
def test_full_disk_under_the_database_loses_nothing(at_work, caplog, table):
    first = append()
    selectors.receipt(first[0], timeout_s=20)
    with connections["owner"].cursor() as cursor:
        cursor.execute(FULL.format(table, table))
    rest = append(leaf.BLOCK)
    wait_for("No space left on device", caplog)
    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP FUNCTION full_disk CASCADE")
    selectors.receipt(rest[-1], timeout_s=20)
    logged = ask("default", "SELECT event_id FROM audit_entry WHERE idx > 0 ORDER BY idx")
    assert [row[0] for row in logged] == first + rest
    assert fsck.check() == []


def test_full_disk_under_the_signer_signs_nothing_and_loses_nothing(at_work, caplog, monkeypatch):
    selectors.receipt(append()[0], timeout_s=20)

    def full(path, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(keys, "replace_file", full)
        [event_id] = append()
        wait_for("the signer cannot write", caplog)
        with pytest.raises(ReceiptTimeoutError, match="not signed"):
            selectors.receipt(event_id, timeout_s=0)
    assert selectors.receipt(event_id, timeout_s=20).index == 2
    assert fsck.check() == []


def test_run_waits_for_the_lock_and_stops_when_told(writer):
    stop = threading.Event()
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
