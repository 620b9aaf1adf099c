import json
import re

import pytest
from django.db import InternalError, OperationalError, ProgrammingError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from psycopg import IsolationLevel

from audit import events, services
from audit.errors import EventError, NotInTransactionError
from audit.events import Actor

ACTOR = Actor("usr_0123456789abcdef", "demo")
EVENT = events.GenerationQueued(job="3f1c2d3e-0000-4000-8000-00000000000a")


def outbox():
    with connections["sequencer"].cursor() as cursor:
        cursor.execute("SELECT event_id, body FROM audit_outbox ORDER BY seq")
        return cursor.fetchall()


def test_append_outside_a_transaction_is_refused(live_database):
    with pytest.raises(NotInTransactionError):
        services.append(EVENT, actor=ACTOR)
    assert outbox() == []


def test_append_in_a_rolled_back_transaction_leaves_nothing(live_database):
    with transaction.atomic():
        services.append(EVENT, actor=ACTOR)
        transaction.set_rollback(True)
    assert outbox() == []


def test_refused_event_fails_the_transaction_that_it_belongs_to(live_database):
    with pytest.raises(EventError), transaction.atomic():  # noqa: PT012 - the block is the transaction
        services.append(EVENT, actor=ACTOR)
        services.append(events.GenerationFailed(job="1", code="grace@navy.example"), actor=ACTOR)
    assert outbox() == []


def test_append_writes_one_leaf_with_the_commit(live_database):
    with transaction.atomic():
        event_id = services.append(EVENT, actor=ACTOR, request="req-1")
        assert outbox() == []
    [(stored_id, body)] = outbox()
    event = json.loads(body)
    assert stored_id == event_id
    assert event["event_id"] == str(event_id)
    assert (event["type"], event["actor"], event["tenant"]) == ("generation.queued", ACTOR.id, "demo")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["ts"])


@pytest.mark.django_db
def test_append_uses_the_connection_of_the_application():
    services.append(EVENT, actor=ACTOR)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("likeness_app",)


def append():
    with transaction.atomic():
        return services.append(EVENT, actor=ACTOR)


def test_append_after_other_statements_of_a_transaction_belongs_to_it(live_database):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        services.append(EVENT, actor=ACTOR)
        transaction.set_rollback(True)
    assert outbox() == []


def test_append_that_begins_a_transaction_keeps_its_isolation(live_database):
    connection.ensure_connection()
    connection.connection.isolation_level = IsolationLevel.SERIALIZABLE
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            services.append(EVENT, actor=ACTOR)
            cursor.execute("SHOW transaction_isolation")
            assert cursor.fetchone() == ("serializable",)
    finally:
        connection.close()
    assert len(outbox()) == 1


def test_append_works_again_after_its_session_was_lost(live_database):
    append()
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    with pytest.raises(OperationalError):
        append()
    connection.close()
    append()
    assert len(outbox()) == 2


def test_append_prepares_again_what_was_deallocated(live_database):
    append()
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with pytest.raises(ProgrammingError, match="does not exist"):
        append()
    append()
    assert len(outbox()) == 2


def test_append_in_a_broken_transaction_is_refused(live_database):
    with pytest.raises(InternalError), transaction.atomic():  # noqa: PT012 - the block is the transaction
        with connection.cursor() as cursor, pytest.raises(ProgrammingError):
            cursor.execute("SELECT nothing")
        services.append(EVENT, actor=ACTOR)
    with pytest.raises(TransactionManagementError), transaction.atomic():  # noqa: PT012
        transaction.set_rollback(True)
        services.append(EVENT, actor=ACTOR)
    assert outbox() == []


def test_append_that_the_database_refuses_fails_as_any_statement_does(live_database):
    with connections["owner"].cursor() as cursor:
        cursor.execute("REVOKE INSERT ON audit_outbox FROM likeness_app")
    with pytest.raises(ProgrammingError, match="permission denied"):
        append()
