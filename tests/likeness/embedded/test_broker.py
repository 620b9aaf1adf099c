"""Celery over pgmq on the real database: what is sent, and when. The stack's tests let a worker run it."""

from __future__ import annotations

import kombu
import pytest
from django.db import connection, transaction
from kombu import exceptions as kombu_errors

from likeness.celery import app


@app.task(name="tests.note", queue="io")
def note(value: object) -> None:
    """Never run here."""


def waiting() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('pgmq.q_io') is not null")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute("select message::text from pgmq.q_io")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize("turn", [1, 2])
def test_a_task_is_sent_through_the_database_of_this_test(turn, live_database):
    note.delay(turn)
    assert len(waiting()) == 1


def give_up() -> None:
    with transaction.atomic():
        transaction.on_commit(lambda: note.delay(1))
        raise RuntimeError


def test_a_task_is_sent_by_the_commit_alone(live_database):
    with pytest.raises(RuntimeError):
        give_up()
    assert not waiting()
    with transaction.atomic():
        transaction.on_commit(lambda: note.delay(2))
    assert len(waiting()) == 1


def test_messages_carry_no_password(live_database, postgres):
    note.delay(1)
    for line in postgres.passfile.read_text().splitlines():
        assert line.rsplit(":", 1)[1] not in waiting()[0]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//"])
def test_every_broker_that_a_url_may_name_has_its_client(url):
    with kombu.Connection(url, connect_timeout=1) as connection, pytest.raises(kombu_errors.OperationalError):
        connection.ensure_connection(
            max_retries=1, interval_start=0
        )  # asked and refused, not "no such module"
