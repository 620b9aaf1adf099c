"""The exported log as other people's software reads it: Go's x/mod sumdb note and tlog."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.db import transaction

from audit import export, pushing, sequencer, services, signer
from audit.events import Actor, GateDecided
from audit.sequencer import Sequencer
from audit.witness import Request

ACTOR = Actor("usr_0123456789abcdef", "demo")
SOURCE = Path(__file__).with_name("go") / "verify.go"
GOPATH = Path("/usr/share/gocode")
MISSING = next(
    (
        reason
        for reason, missing in (
            ("Go is not installed (Debian: golang-go)", shutil.which("go") is None),
            (
                "Go's x/mod is not installed (Debian: golang-golang-x-mod-dev)",
                not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir(),
            ),
        )
        if missing
    ),
    "",
)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    built = tmp_path_factory.mktemp("go") / "verify"
    places = {"GOPATH": str(GOPATH), "GOCACHE": str(built.parent / "cache"), "GOFLAGS": "-p=1"}
    environment = os.environ | places | {"GO111MODULE": "off", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    subprocess.run(["go", "build", "-o", built, SOURCE], check=True, env=environment)
    return built


@pytest.fixture
def exported(live_database, home, tmp_path):
    """A log of several tiles, with the checkpoint and the consistency proof of each earlier size."""
    notes = []
    with sequencer.connect() as connection:
        writer = Sequencer(connection, signer=signer.local())
        writer.start()
        for count in (0, 99, 155, 1, 1, 300):
            with transaction.atomic():
                for number in range(count):
                    event = GateDecided(job=f"job-{number}", stage="submit", decision="refuse")
                    services.append(event, actor=ACTOR)
            writer.step(1000)
            writer.publish()
            notes.append(pushing.newest(connection))
        folder = tmp_path / "log"
        export.export(folder)
        (folder / "consistency").mkdir()
        for size, note in dict(notes[:-1]).items():
            proof = pushing.request(connection, size, *notes[-1]).proof
            (folder / "consistency" / str(size)).write_text(str(Request(size, proof, note)))
    return folder


def run(program, folder):
    return subprocess.run([program, folder], capture_output=True, text=True, check=False)


def test_other_software_verifies_every_entry_proof_and_earlier_checkpoint(program, exported):
    done = run(program, exported)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "557 entries, 5 older checkpoints\n"


def replace(old, new):
    return lambda text: text.replace(old, new, 1)


CHANGES = {
    "entry": ("entries/000000007.json", replace(b"refuse", b"allows")),
    "tile": ("tile/0/000", lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:]),
    "checkpoint": ("checkpoint", replace(b"\n557\n", b"\n556\n")),
    "proof": (
        "proofs/000000300.tlog-proof",
        replace(b"index 300\n", b"index 300\nAAAA" + b"A" * 39 + b"=\n"),
    ),
    "older checkpoint": ("consistency/256", replace(b"\n256\n", b"\n255\n")),
    "consistency proof": ("consistency/100", replace(b"old 100\n", b"old 100\n" + b"A" * 43 + b"=\n")),
    "key": ("log.vkey", replace(b"+", b"x+")),
}


def test_other_software_refuses_every_change(program, exported, subtests):
    for name, (path, change) in CHANGES.items():
        with subtests.test(name):
            before = (exported / path).read_bytes()
            (exported / path).write_bytes(change(before))
            assert change(before) != before
            assert run(program, exported).returncode == 1
            (exported / path).write_bytes(before)
    assert run(program, exported).returncode == 0
