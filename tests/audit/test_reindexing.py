import pytest
from django.core.management import call_command
from django.db import DatabaseError, connections, transaction

from audit import fsck, leaf, reindexing, selectors, sequencer, services, signer
from audit.errors import EventError
from audit.events import Actor, GenerationQueued
from audit.leaf import KeyKind
from audit.sequencer import Sequencer

ACTOR = Actor("usr_0123456789abcdef", "demo")
COUNT = 3 * leaf.BLOCK + 5


def ask(statement):
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def append(writer, count):
    with transaction.atomic():
        for number in range(count):
            services.append(GenerationQueued(job=f"job-{number}"), actor=ACTOR)
    writer.step(1000)
    writer.publish()


@pytest.fixture
def writer(live_database, home):
    with sequencer.connect() as connection:
        made = Sequencer(connection, signer=signer.local())
        made.start()
        append(made, COUNT)
        yield made


@pytest.fixture
def damaged(writer):
    ask("ALTER TABLE audit_key DISABLE TRIGGER USER")
    ask("DELETE FROM audit_key WHERE block = 1; UPDATE audit_key SET k = k + 1 WHERE block = 2")
    for name in ("audit_key_immutable", "audit_key_untruncatable"):
        ask(f"ALTER TABLE audit_key ENABLE ALWAYS TRIGGER {name}")
    assert fsck.check() != []
    return writer


@pytest.mark.parametrize("piece", [leaf.BLOCK, 1024 * leaf.BLOCK])
def test_damaged_index_is_made_anew_and_goes_on(damaged, monkeypatch, piece):
    monkeypatch.setattr(reindexing, "PIECE", piece)
    seen = []
    assert reindexing.rebuild(lambda *at: seen.append(at)) == 3 * leaf.BLOCK
    assert seen[-1] == (3 * leaf.BLOCK, 3 * leaf.BLOCK)
    append(damaged, 2 * leaf.BLOCK)
    assert fsck.check() == []
    assert [entry.index for entry in selectors.entries(KeyKind.JOB, "job-20")] == [21, COUNT + 21]


def test_index_is_guarded_again_afterwards(damaged, capsys):
    call_command("reindex")
    assert f"{3 * leaf.BLOCK} entries are indexed." in capsys.readouterr().out
    for statement in ("TRUNCATE audit_key", "DELETE FROM audit_key", "UPDATE audit_key SET block = 1"):
        with pytest.raises(DatabaseError, match="append-only"):
            ask(statement)


def test_entry_that_is_no_event_leaves_index_and_guard_as_they_were(damaged):
    before = ask("SELECT count(*) FROM audit_key")
    ask("ALTER TABLE audit_entry DISABLE TRIGGER USER")
    ask("UPDATE audit_entry SET body = 'ab', leaf_hash = sha256('\\x006162') WHERE idx = 9")
    with pytest.raises(EventError):
        reindexing.rebuild()
    assert ask("SELECT count(*) FROM audit_key") == before
    with pytest.raises(DatabaseError, match="append-only"):
        ask("TRUNCATE audit_key")
