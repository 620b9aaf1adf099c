import hashlib
import itertools
import json
import uuid

import psycopg
import pytest
from django.db import DatabaseError, connections

from audit import merkle

TABLES = (
    "audit_entry",
    "audit_tile",
    "audit_checkpoint",
    "audit_cosignature",
    "audit_key",
    "audit_refused",
    "audit_alarm",
    "audit_timestamp",
)
EVERYONE = ("default", "sequencer", "auditor", "owner")


def body_of(event_id):
    return json.dumps({"event_id": str(event_id)}).encode()


def insert_entry(cursor, index, *, body=None, leaf_hash=None, event_id=None):
    event_id = event_id or uuid.uuid4()
    body = body_of(event_id) if body is None else body
    cursor.execute(
        "INSERT INTO audit_entry (idx, leaf_hash, event_id, body) VALUES (%s, %s, %s, %s)",
        [index, merkle.leaf_hash(body) if leaf_hash is None else leaf_hash, event_id, body],
    )


@pytest.fixture
def filled(live_database):
    with connections["sequencer"].cursor() as cursor:
        for index in range(3):
            insert_entry(cursor, index)
        cursor.execute("INSERT INTO audit_tile VALUES (0, 0, %s, %s)", [bytes(32), bytes(8192)])
        cursor.execute("INSERT INTO audit_checkpoint VALUES (3, %s, 'note')", [bytes(32)])
        cursor.execute(
            "INSERT INTO audit_cosignature (size, witness, time, line) VALUES (3, 'w1', 1, 'line')"
        )
        cursor.execute("INSERT INTO audit_alarm (frozen, witness, evidence) VALUES (true, 'w1', 'why')")
        cursor.execute("INSERT INTO audit_timestamp VALUES (3, 'http://tsa', 'token', now())")
        cursor.execute("INSERT INTO audit_key VALUES (1, 0)")
        cursor.execute("INSERT INTO audit_refused VALUES (1, gen_random_uuid(), 'body', 'why')")


def refused(alias, statement):
    with connections[alias].cursor() as cursor, pytest.raises(DatabaseError) as caught:
        cursor.execute(statement)
    assert isinstance(caught.value.__cause__, psycopg.Error)
    return str(caught.value)


CHANGES = {
    "audit_entry": "UPDATE audit_entry SET body = 'ab' WHERE idx = 1",
    "audit_tile": "UPDATE audit_tile SET root = hashes",
    "audit_checkpoint": "UPDATE audit_checkpoint SET note = 'other'",
    "audit_cosignature": "UPDATE audit_cosignature SET line = 'other'",
    "audit_key": "UPDATE audit_key SET block = 2",
    "audit_refused": "UPDATE audit_refused SET reason = 'other'",
    "audit_timestamp": "UPDATE audit_timestamp SET time = now()",
    "audit_alarm": "UPDATE audit_alarm SET frozen = false",
}


def changes(table):
    return CHANGES[table], f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"  # noqa: S608 - names of this file


def test_nobody_changes_deletes_or_truncates_the_log(filled):
    for alias, table in itertools.product(EVERYONE, TABLES):
        for statement in changes(table):
            message = refused(alias, statement)
            assert "append-only" in message if alias == "owner" else "permission denied" in message


def test_replica_mode_does_not_switch_the_guards_off(filled):
    for table in TABLES:
        for statement in changes(table):
            message = refused("owner", "SET session_replication_role = replica; " + statement)
            assert "append-only" in message
    with connections["owner"].cursor() as cursor, pytest.raises(DatabaseError, match="gap"):
        insert_entry(cursor, 9)


def test_only_the_sequencer_writes_the_log(filled):
    for alias in ("default", "auditor"):
        with connections[alias].cursor() as cursor, pytest.raises(DatabaseError, match="permission denied"):
            insert_entry(cursor, 3)
        assert "permission denied" in refused(alias, "INSERT INTO audit_key VALUES (1, 0)")


FORBIDDEN = [
    "SELECT body FROM audit_outbox",
    "DELETE FROM audit_outbox",
    "UPDATE audit_outbox SET body = 'ab'",
    "TRUNCATE audit_outbox",
    "SELECT reason FROM audit_refused",
    "SELECT nextval('audit_outbox_seq_seq')",
    "ALTER TABLE audit_entry DISABLE TRIGGER USER",
    "DROP TABLE audit_outbox",
    "SET ROLE likeness_sequencer",
    "SET session_replication_role = replica",
]


def test_application_may_only_put_into_the_outbox(filled, subtests):
    for statement in FORBIDDEN:
        with subtests.test(statement):
            refused("default", statement)


def test_only_the_application_puts_into_the_outbox(filled):
    statement = "INSERT INTO audit_outbox (event_id, body) VALUES (gen_random_uuid(), 'ab')"
    for alias in ("sequencer", "auditor"):
        assert "permission denied" in refused(alias, statement)


def test_gap_fork_and_negative_index_are_refused(filled, subtests):
    for index in (4, 9999, 2, -1):
        with (
            subtests.test(index=index),
            connections["owner"].cursor() as cursor,
            pytest.raises(DatabaseError),
        ):
            insert_entry(cursor, index)


def test_gap_inside_one_statement_is_refused(filled):
    statement = """
        INSERT INTO audit_entry
        SELECT idx, sha256('\\x00'::bytea || 'aa'::bytea), gen_random_uuid(), 'aa'
        FROM (VALUES (3), (5)) AS new (idx)
    """
    assert "gap" in refused("owner", statement)


def test_wrong_leaf_hash_is_refused(filled):
    with connections["owner"].cursor() as cursor, pytest.raises(DatabaseError, match="leaf_hash"):
        insert_entry(cursor, 3, leaf_hash=hashlib.sha256(b"other").digest())


def test_same_event_twice_is_refused(filled):
    event_id = uuid.uuid4()
    with connections["sequencer"].cursor() as cursor:
        insert_entry(cursor, 3, event_id=event_id)
        with pytest.raises(DatabaseError, match="unique"):
            insert_entry(cursor, 4, event_id=event_id)


BAD_BODIES = {
    "empty": b"",
    "one byte": b"a",
    "text": b"not JSON",
    "no id": b"{}",
    "list": b"[]",
    "not UTF-8": b"\xff\xff",
    "id no UUID": b'{"event_id":"x"}',
    "other id": body_of(uuid.UUID(int=1)),
    "too long": b" " * 65_536,
}


def test_outbox_refuses_a_body_that_is_not_its_event(live_database, subtests):
    for name, body in BAD_BODIES.items():
        with subtests.test(name), connections["default"].cursor() as cursor, pytest.raises(DatabaseError):
            cursor.execute("INSERT INTO audit_outbox (event_id, body) VALUES (%s, %s)", [uuid.uuid4(), body])
