"""Checks of a part, in several processes, interrupted, reported."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections, transaction

from audit import fsck, ranges, report, sequencer, services, signer
from audit.checkpoint import Note, VerifierKey
from audit.errors import CheckStateError, NoteError
from audit.events import Actor, GateDecided
from audit.sequencer import Sequencer

ACTOR = Actor("usr_0123456789abcdef", "demo")


def ask(statement, *values):
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture
def filled(live_database, home, monkeypatch):
    monkeypatch.setattr(ranges, "RANGE", 64)
    with sequencer.connect() as connection:
        writer = Sequencer(connection, signer=signer.local())
        writer.start()
        for count in (99, 200, 300, 23):
            with transaction.atomic():
                for number in range(count):
                    event = GateDecided(job=f"job-{number}", stage="submit", decision="refuse")
                    services.append(event, actor=ACTOR)
            writer.step(1000)
            writer.publish()


@pytest.fixture
def edited(filled):
    ask("ALTER TABLE audit_entry DISABLE TRIGGER USER")
    ask("UPDATE audit_entry SET event_id = gen_random_uuid() WHERE idx IN (50, 350)")


def named(problems):
    return {problem.index for problem in problems if problem.index is not None}


def test_check_since_a_head_sees_only_what_came_after(edited, subtests):
    for since, expected in (
        (0, {50, 350}),
        (100, {350}),
        (299, {350}),
        (300, {350}),
        (600, set()),
        (9999, set()),
    ):
        with subtests.test(since=since):
            assert named(fsck.check(since=since)) == expected


def test_check_since_needs_a_signed_head(filled):
    ask("ALTER TABLE audit_checkpoint DISABLE TRIGGER USER")
    ask("DELETE FROM audit_checkpoint WHERE size < 300")
    with pytest.raises(CheckStateError, match="at most 200"):
        fsck.check(since=200)


def test_check_since_a_head_that_is_not_the_trees_says_so(filled):
    ask("ALTER TABLE audit_tile DISABLE TRIGGER USER; ALTER TABLE audit_checkpoint DISABLE TRIGGER USER")
    ask("UPDATE audit_tile SET root = sha256('x') WHERE n = 0")
    assert "checkpoint 300" in {problem.what for problem in fsck.check(since=300)}


@pytest.mark.slow
def test_processes_find_what_one_finds(edited, monkeypatch):
    alone = fsck.check()
    monkeypatch.setattr(fsck, "WORTH_PROCESSES", 1)
    assert fsck.check(parallel=2) == alone
    assert named(alone) == {50, 350}


class StopError(Exception):
    pass


def interrupted(state, at):
    def stop(done, total):
        if done >= at:
            raise StopError

    with pytest.raises(StopError):
        fsck.check(progress=stop, state=state)


def test_interrupted_check_goes_on_and_forgets_nothing(edited, tmp_path, monkeypatch):
    monkeypatch.setattr(fsck, "SAVE_EVERY", 64)
    state, seen = tmp_path / "state", []
    interrupted(state, 256)
    assert named(fsck.check(progress=lambda done, _: seen.append(done), state=state)) == {50, 350}
    assert seen[0] == 320
    assert not state.exists()


@pytest.mark.parametrize("bend", ["", "{}", "size", "edge", "origin"])
def test_damaged_or_foreign_state_is_refused(filled, tmp_path, monkeypatch, bend):
    monkeypatch.setattr(fsck, "SAVE_EVERY", 64)
    state = tmp_path / "state"
    interrupted(state, 256)
    text = state.read_text()
    found = json.loads(text)
    bent = {
        "size": found | {"size": 255},
        "edge": found | {"edge": [["00"]]},
        "origin": found | {"origin": "x"},
    }
    state.write_text(json.dumps(bent[bend]) if bend in bent else bend)
    with pytest.raises(CheckStateError, match="remove it"):
        fsck.check(state=state)


def test_state_holds_the_tree_so_that_later_edits_do_not_fit_it(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(fsck, "SAVE_EVERY", 64)
    state = tmp_path / "state"
    interrupted(state, 256)
    found = json.loads(state.read_text())
    found["edge"][1][0] = "00" * 32
    state.write_text(json.dumps(found))
    assert any(problem.what.startswith("checkpoint") for problem in fsck.check(state=state))


def test_report_is_signed_under_a_name_of_its_own(edited):
    problems = fsck.check()
    signed = report.sign(problems, since=0, begun=datetime.now(UTC))
    assert signed.key == VerifierKey.parse((signer.home() / "check.vkey").read_text().strip())
    assert signed.key.name == f"{settings.LIKENESS_LOG_ORIGIN}/check"
    assert signed.key.public != signer.published_key().public
    note = Note.parse(signed.note)
    assert note.signers([signed.key])
    assert "problems: 2" in note.text
    assert "Entry 350" in note.text
    with pytest.raises(NoteError):
        Note.parse(signed.note.replace("Entry 350", "Entry 351")).signers([signed.key])


def test_nightly_check_keeps_its_report(edited):
    assert report.nightly() == 2
    [path] = (Path(settings.LIKENESS_HOME) / "checks").iterdir()
    assert "problems: 2" in path.read_text()
