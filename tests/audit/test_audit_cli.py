"""The commands of an operator, of an auditor and of a witness's people, over the real services."""

import json

import pytest
from django.db import connections, transaction

from audit import sequencer, services, signer, witnesses
from audit.checkpoint import Note, VerifierKey
from audit.events import Actor, GateDecided
from audit.sequencer import Sequencer
from likeness.cli import audit as audit_cli
from likeness.cli import witness as witness_cli
from likeness.cli.main import main

ACTOR = Actor("usr_0123456789abcdef", "demo")


def sequence(*batches):
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
def log(live_database, home, monkeypatch):
    for module in (audit_cli, witness_cli):
        monkeypatch.setattr(module, "open_platform", lambda: None)
    sequence(5)
    return home


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main([*map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def test_witness_by_courier_from_beginning_to_end(log, run, tmp_path):
    outside, asked, answer = tmp_path / "outside", tmp_path / "asked", tmp_path / "answer"
    code, made = run("witness", "init", "--name", "regulator.example/w1", "--home", outside)
    assert code == 0
    assert (
        run("witness", "init", "--name", "regulator.example/w1", "--home", outside)[1]["code"]
        == "audit.witness"
    )
    (log / "log.policy").write_text(f"log {signer.local().key}\nwitness reg {made['vkey']}\nquorum reg\n")
    assert run("witness", "status")[0] == 1
    assert run("witness", "request", "--out", asked) == (0, {"out": str(asked), "old": 0})
    code, refused = run("witness", "cosign", asked, "--out", answer, "--home", outside)
    assert (code, refused["code"]) == (1, "audit.witness")
    assert "404" in refused["message"]
    assert not answer.exists()
    assert run("witness", "trust", str(signer.local().key), "--home", outside)[0] == 0
    assert run("witness", "cosign", asked, "--out", answer, "--home", outside)[0] == 0
    assert run("witness", "accept", answer) == (0, {"size": 6})
    code, status = run("witness", "status")
    assert (code, status["size"], status["stale"], status["frozen"]) == (0, 6, False, False)
    assert status["witnesses"][0]["name"] == "reg"
    witnesses.load().open_checkpoint(answer.read_text())


def test_frozen_log_is_shown_and_let_go_on(log, run):
    assert run("witness", "resume", "--reason", "checked")[1]["code"] == "audit.witness"
    signer.freeze(signer.home(), "evidence")
    code, status = run("witness", "status")
    assert (code, status["frozen"]) == (1, True)
    assert run("witness", "resume", "--reason", "with space")[1]["code"] == "audit.event"
    assert run("witness", "resume", "--reason", "checked") == (0, {"resumed": True})
    assert run("witness", "status")[0] == 0


def test_keys_rotate_and_retire(log, run):
    first = run("audit", "keys")[1]["keys"][0]["vkey"]
    code, added = run("audit", "rotate")
    assert (code, added["keeper"]) == (0, "file")
    assert run("audit", "rotate")[1]["code"] == "audit.rotation"
    assert run("audit", "retire")[1]["code"] == "audit.rotation"
    sequence(1)
    assert run("audit", "retire") == (0, {"retired": first})
    assert [key["state"] for key in run("audit", "keys")[1]["keys"]] == ["retired", "active"]
    sequence(1)
    assert run("audit", "check")[0] == 0


def test_rotation_to_a_key_service_that_is_not_there_changes_nothing(log, run):
    url = "https://127.0.0.1:9/v1/transit/keys/log"
    assert run("audit", "rotate", "--transit", url)[1]["code"] == "audit.signer_refused"
    token = log / "signer" / "transit.token"
    token.touch(mode=0o600)
    assert run("audit", "rotate", "--transit", url)[1]["code"] == "audit.signer_unavailable"
    assert len(run("audit", "keys")[1]["keys"]) == 1


def test_rotation_to_a_security_module_that_is_not_there_changes_nothing(log, run):
    uri = "pkcs11:token=t;object=log?module-path=/nowhere.so"
    assert run("audit", "rotate", "--pkcs11", "log")[1]["code"] == "audit.signer_unavailable"
    assert run("audit", "rotate", "--pkcs11", uri)[1]["code"] == "audit.signer_refused"
    (log / "signer" / "pkcs11.pin").touch(mode=0o600)
    assert run("audit", "rotate", "--pkcs11", uri)[1]["code"] == "audit.signer_unavailable"
    assert len(run("audit", "keys")[1]["keys"]) == 1


def test_check_reports_signed_and_names_the_entry(log, run, tmp_path):
    report = tmp_path / "report"
    assert run("audit", "check", "--report", report) == (0, {"ok": True, "problems": []})
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_entry SET event_id = gen_random_uuid() WHERE idx = 3")
    code, found = run("audit", "check", "--report", report)
    assert (code, [row["index"] for row in found["problems"]]) == (1, [3])
    note = Note.parse(report.read_text())
    assert note.signers([VerifierKey.parse((log / "signer" / "check.vkey").read_text().strip())])
    assert "Entry 3" in note.text
    assert run("audit", "check", "--since", 6) == (0, {"ok": True, "problems": []})


def test_damaged_state_is_refused_when_resuming_and_ignored_otherwise(log, run):
    (log / audit_cli.STATE).write_text("nonsense")
    assert run("audit", "check", "--resume")[1]["code"] == "audit.check_state"
    assert run("audit", "check")[0] == 0
    assert not (log / audit_cli.STATE).exists()
