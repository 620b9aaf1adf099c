"""A database that was really restored: dumped, lost, loaded again; and the two safe ways on from there."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection, connections, transaction

from audit import export, fsck, restoring, selectors, sequencer, services, signer, verify, witness, witnesses
from audit.checkpoint import open_checkpoint
from audit.errors import (
    NoteError,
    RestoreError,
    SequencerBusyError,
    SignerRefusedError,
)
from audit.events import Actor, GateDecided
from audit.leaf import KeyKind
from audit.sequencer import Sequencer
from likeness.cli import audit as audit_cli
from likeness.cli.main import main
from likeness.embedded.programs import programs
from tests.conftest import administer, point_at

ACTOR = Actor("usr_0123456789abcdef", "demo")
OLD, NEW = "likeness.local/audit", "likeness.local/audit/2"


def sequence(*batches):
    with sequencer.connect() as session:
        writer = Sequencer(session, signer=signer.local())
        writer.start()
        for count in batches:
            with transaction.atomic():
                for number in range(count):
                    event = GateDecided(job=f"job-{number}", stage="submit", decision="refuse")
                    services.append(event, actor=ACTOR)
            writer.step(1000)
            writer.publish()
        return writer.size


def run(program, *words, **options):
    return subprocess.run([program, *words], check=True, capture_output=True, timeout=120, **options)


@pytest.fixture
def restored(live_database, home, postgres, tmp_path):
    """300 entries were backed up, 600 signed; then the backup was loaded. `copy` is an export of the 600."""
    sequence(299)
    folder = programs(postgres.user)
    dump = run(folder / "pg_dump", "--no-password", "--dbname", postgres.conninfo(live_database)).stdout
    assert sequence(250, 50) == 600
    export.export(tmp_path / "copy")
    kept = selectors.checkpoint()
    stamped = SimpleNamespace(copy=tmp_path / "copy", kept=kept, proof=selectors.proof(299))
    export.bundle(tmp_path / "old.zip", indexes=[1, 299])
    name = f"{live_database}_restored"
    administer(postgres, f"create database {name}")
    load = ("--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", postgres.conninfo(name))
    run(folder / "psql", *load, input=dump)
    point_at(postgres, name)
    yield stamped
    point_at(postgres, live_database)
    administer(postgres, f"drop database {name} with (force)")


def replay(copy):
    with sequencer.connect() as session:
        return restoring.replay(session, copy)


def reopen(origin=NEW):
    with sequencer.connect() as session:
        return restoring.reopen(session, origin=origin)


def size():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_entry")
        return cursor.fetchone()[0]


def test_restored_log_gets_no_signature_and_both_ways_have_their_conditions(restored):
    with pytest.raises(SignerRefusedError, match="holds 300 entries, 600 were signed") as caught:
        sequence()
    assert "likeness audit replay" in caught.value.hint
    assert "likeness audit reopen" in caught.value.hint
    with sequencer.connect() as session:
        Sequencer(session, signer=signer.local()).lock()
        for act in (lambda: replay(restored.copy), reopen):
            with pytest.raises(SequencerBusyError):
                act()
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_entry SET event_id = gen_random_uuid() WHERE idx = 7")
    with pytest.raises(RestoreError, match="Entry 7"):
        reopen()  # what was edited is not gone on from
    assert size() == 300


def test_missing_entries_are_put_back_and_nothing_is_lost(restored):
    assert replay(restored.copy) == restoring.Replayed(300, 600)
    assert size() == 601
    assert selectors.entry(600).event["kept"] == 300
    assert sequence(5) == 606
    assert fsck.check() == []
    for index in (0, 299, 300, 599):
        assert (restored.copy / f"entries/{index:09d}.json").read_bytes() == selectors.entry(index).body
    assert [entry.index for entry in selectors.entries(KeyKind.JOB, "job-7")] == [8, 307, 557]
    kept = open_checkpoint(restored.kept.note, selectors.log_key())
    assert export.head_of([0], pinned=restored.kept.note).size >= kept.size


def test_entries_that_wait_in_the_outbox_of_the_backup_are_not_logged_twice(restored):
    body = (restored.copy / "entries/000000400.json").read_bytes()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_outbox (event_id, body) VALUES (%s, %s)", [json.loads(body)["event_id"], body]
        )
    replay(restored.copy)
    with sequencer.connect() as session:
        writer = Sequencer(session, signer=signer.local())
        writer.start()
        assert writer.step(1000) == 1
        assert writer.size == 601
    assert fsck.check() == []


def break_copy(copy, how):
    bundle = copy / "tile/entries/001"
    if how == "an entry edited":
        bundle.write_bytes(bundle.read_bytes().replace(b"job-7", b"job-8", 1))
    elif how == "a bundle cut":
        bundle.write_bytes(bundle.read_bytes()[:-1])
    elif how == "a bundle missing":
        bundle.unlink()
    elif how == "no checkpoint":
        (copy / "checkpoint").unlink()
    elif how == "a forged checkpoint":
        text = (copy / "checkpoint").read_text()
        (copy / "checkpoint").write_text(text.replace("\n600\n", "\n601\n"))


BROKEN = ("an entry edited", "a bundle cut", "a bundle missing", "no checkpoint", "a forged checkpoint")


def test_copy_that_does_not_hold_puts_nothing_back(restored, tmp_path, subtests):
    for number, how in enumerate(BROKEN):
        with subtests.test(how):
            broken = shutil.copytree(restored.copy, tmp_path / f"broken{number}")
            break_copy(broken, how)
            with pytest.raises(RestoreError):
                replay(broken)
            assert size() == 300


def test_nothing_is_replayed_or_reopened_while_nothing_is_missing(live_database, home, tmp_path):
    sequence(3)
    for origin in ("", "a b", "a+b", "a\nb"):
        with pytest.raises(NoteError):
            reopen(origin)
    export.export(tmp_path / "copy")
    for act in (lambda: replay(tmp_path / "copy"), reopen):
        with pytest.raises(RestoreError, match="not missing"):
            act()
    assert not (home / "signer.new").exists()


def test_log_goes_on_under_a_new_name_that_says_so(restored, home, settings, tmp_path):
    remembered = (signer.home() / "checkpoint").read_bytes()
    witness.create(home / "witness", name="demo.example/w")
    witness.trust(home / "witness", signer.local().key)
    witnesses.ensure_policy()
    key = reopen()
    (past,) = signer.past_homes()
    assert (past / "checkpoint").read_bytes() == remembered, "the old signer's memory stays"
    assert {known.name for known in witnesses.load().logs} == {OLD, NEW}
    with pytest.raises(SignerRefusedError, match="not for likeness"):
        sequence()
    settings.LIKENESS_LOG_ORIGIN = NEW
    assert sequence(4) == 305
    opened = selectors.entry(300).event
    assert (opened["origin"], opened["previous"], opened["key"]) == (NEW, OLD, str(key.key))
    assert (opened["previous_size"], opened["kept"]) == (600, 300)
    assert opened["previous_root"] == restored.kept.root
    assert (selectors.checkpoint().note.split("\n")[0], selectors.log_key()) == (NEW, key.key)
    assert fsck.check() == []
    bundle = str(tmp_path / "new.zip")
    export.bundle(tmp_path / "new.zip", indexes=[1, 299, 300, 304])
    assert verify.verify(bundle, vkey=str(key.key))["result"] == "verified"
    old = next(key for key in signer.published_keys() if key.name == OLD)
    assert verify.verify(str(tmp_path / "old.zip"), vkey=str(old))["result"] == "verified"
    assert verify.verify(bundle, vkey=str(old))["result"] == "refused"
    for origin in (OLD, NEW):
        with pytest.raises(RestoreError, match="used before"):
            reopen(origin)


@pytest.mark.parametrize("at", [0, 1])
def test_interrupted_opening_is_ended_by_the_next(restored, settings, monkeypatch, at):
    moves, rename = [], Path.rename

    def crash(path, target):
        if path.name.startswith("signer"):
            moves.append(path)
            if len(moves) == at + 1:
                raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", crash)
    with pytest.raises(KeyboardInterrupt):
        reopen()
    monkeypatch.setattr(Path, "rename", rename)
    reopen()
    settings.LIKENESS_LOG_ORIGIN = NEW
    assert sequence(1) == 302
    assert fsck.check() == []


def test_both_are_commands(restored, settings, monkeypatch, capsys):
    monkeypatch.setattr(audit_cli, "open_platform", lambda: None)
    assert main(["audit", "replay", str(restored.copy / "none"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "audit.restore"
    assert main(["audit", "reopen", "--origin", NEW, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["origin"], told["previous"]) == (NEW, OLD)
