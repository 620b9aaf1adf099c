"""What a bundle proves beyond its entries: growth from a kept checkpoint, credentials, disclosures, files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import zipfile

import pytest
from django.db import transaction

from audit import checkpoint, export, merkle, selectors, services, verify
from audit.bundle import Evidence, Proven, write_bundle
from audit.checkpoint import Checkpoint, KeyType, TlogProof
from audit.errors import NoteError, ProofError
from audit.events import Actor, GenerationFinished, LabelApplied
from likeness.keyring import FileKeyring

ACTOR = Actor("usr_0123456789abcdef", "demo")
SEED, ORIGIN = bytes(range(32)), "likeness.example/audit"
KEY = checkpoint.verifier(ORIGIN, SEED)
SALT = "5a" * 32


class Log:
    """A log in memory, signed with a key of the test."""

    def __init__(self, *events: dict) -> None:
        self.bodies = [json.dumps(event, sort_keys=True, separators=(",", ":")).encode() for event in events]

    def node(self, height: int, index: int) -> bytes:
        leaves = [merkle.leaf_hash(body) for body in self.bodies]
        return merkle.fold(leaves[index << height : (index + 1) << height])

    def root(self, size: int) -> bytes:
        return merkle.range_hash(0, size, self.node)

    def head(self, size: int | None = None, cosigned: bool = False) -> str:
        size = len(self.bodies) if size is None else size
        made = Checkpoint(ORIGIN, size, self.root(size))
        note = checkpoint.sign(made, SEED)
        return note + checkpoint.cosign(made, name="w.example", seed=b"w" * 32, time=9) if cosigned else note

    def bundle(self, out, *, old=0, extra=None, cosigned=False, proofs_at=None):
        note, size = self.head(proofs_at, cosigned), proofs_at or len(self.bodies)
        proven = [
            Proven(
                index,
                self.bodies[index],
                str(TlogProof(index, merkle.inclusion(index, size, self.node), note)),
            )
            for index in range(size)
        ]
        lines = "".join(checkpoint.encode(item) + "\n" for item in merkle.consistency(old, size, self.node))
        consistency = f"old {old}\n{lines}\n{note}" if old else ""
        write_bundle(out, Evidence(proven, note, ORIGIN, str(KEY), consistency, extra or {}))
        return str(out)


@pytest.fixture
def log():
    events = [{"type": "generation.queued", "ts": "2026-01-01T00:00:00Z", "job": f"j{n}"} for n in range(5)]
    label = {"type": "label.applied", "manifest": hashlib.sha256(b"credential").hexdigest()}
    detail = hashlib.sha256(bytes.fromhex(SALT) + b'{"reason":"asked"}').hexdigest()
    return Log(*events, label, {"type": "consent.revoked", "detail": f"sha256:{detail}"})


def codes(report, which="proven"):
    return [item["code"] for item in report[which]]


@pytest.mark.parametrize("old", range(1, 8))
def test_growth_from_every_kept_checkpoint_is_proven(log, tmp_path, old):
    path = log.bundle(tmp_path / "b.zip", old=old)
    report = verify.verify(path, vkey=str(KEY), pinned=log.head(old))
    assert (report["result"], report["pinned"], report["error"]) == ("verified", old, "")
    assert "pinned" in codes(report)
    assert "append_only" not in codes(report, "not_proven")


def altered(log, index):
    other = Log()
    other.bodies = list(log.bodies)
    other.bodies[index] = b"{}"
    return other


PINNED_FAULTS = {
    "a rewritten past": (lambda log: altered(log, 1).head(4), {"old": 4}, "rewritten"),
    "a rewritten past of the same size": (lambda log: altered(log, 1).head(), {}, "rewritten"),
    "no proof in the bundle": (lambda log: log.head(4), {}, "no consistency proof"),
    "a proof from another size": (lambda log: log.head(4), {"old": 3}, "no consistency proof"),
    "a shorter log": (lambda log: log.head(), {"proofs_at": 4}, "does not extend"),
    "another key": (
        lambda log: log.head(4).replace("— likeness", "— Likeness"),
        {"old": 4},
        "no trusted key",
    ),
    "no checkpoint": (lambda _log: "nothing", {"old": 4}, "malformed"),
}


@pytest.mark.parametrize("name", PINNED_FAULTS)
def test_a_kept_checkpoint_that_is_not_extended_is_told(log, tmp_path, name):
    pinned, options, told = PINNED_FAULTS[name]
    report = verify.verify(log.bundle(tmp_path / "b.zip", **options), vkey=str(KEY), pinned=pinned(log))
    assert report["result"] == "refused"
    assert told in report["error"]
    assert "pinned" not in codes(report)


def changed(path, name, edit):
    with zipfile.ZipFile(path) as archive:
        files = {member: archive.read(member) for member in archive.namelist()}
    files[name] = edit(files[name])
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    return path


CONSISTENCY_FAULTS = {
    "a hash less": lambda text: b"\n".join(text.split(b"\n")[:1] + text.split(b"\n")[2:]),
    "a hash twice": lambda text: b"\n".join(text.split(b"\n")[:2] + text.split(b"\n")[1:]),
    "a short hash": lambda text: text.replace(text.split(b"\n")[1], b"AAAA"),
    "no base64": lambda text: text.replace(text.split(b"\n")[1], b"!"),
    "another old size": lambda text: text.replace(b"old 5", b"old 05"),
    "no checkpoint": lambda text: text.partition(b"\n\n")[0],
    "too many hashes": lambda text: b"old 5\n" + b"A" * 43 + b"=\n" * 64 + text[6:],
    "not UTF-8": lambda text: b"\xff" + text,
}


@pytest.mark.parametrize("name", CONSISTENCY_FAULTS)
def test_a_malformed_consistency_proof_is_refused(log, tmp_path, name):
    path = changed(log.bundle(tmp_path / "b.zip", old=5), "consistency.txt", CONSISTENCY_FAULTS[name])
    assert verify.verify(path, vkey=str(KEY), pinned=log.head(5))["result"] == "refused"


def test_consistency_of_another_tree_than_the_entries_is_refused(log, tmp_path):
    path = log.bundle(tmp_path / "b.zip", old=3, proofs_at=6)
    longer = zipfile.ZipFile(log.bundle(tmp_path / "c.zip", old=3)).read("consistency.txt")
    report = verify.verify(
        changed(path, "consistency.txt", lambda _: longer), vkey=str(KEY), pinned=log.head(3)
    )
    assert "another tree" in report["error"]


def test_without_witness_and_kept_checkpoint_nothing_is_said_of_other_pasts(log, tmp_path):
    report = verify.verify(log.bundle(tmp_path / "b.zip"), vkey=str(KEY))
    assert codes(report) == ["entries"]
    assert codes(report, "not_proven") == [
        *("append_only", "time", "undisclosed", "truth", "completeness"),
    ]
    assert "could have rewritten" in verify.describe(report)


def test_a_witness_that_the_policy_names_is_told(log, tmp_path):
    witness = checkpoint.verifier("w.example", b"w" * 32, KeyType.COSIGNATURE)
    policy = f"log {KEY}\nwitness w {witness}\nquorum w\n"
    report = verify.verify(log.bundle(tmp_path / "b.zip", cosigned=True), policy=policy)
    assert {"code": "witnesses", "names": "w"} in report["proven"]
    assert "append_only" not in codes(report, "not_proven")
    alone = verify.verify(log.bundle(tmp_path / "c.zip"), policy=policy)
    assert alone["result"] == "refused"
    assert "did not cosign" in alone["entries"][0]["error"]


def test_a_kept_checkpoint_needs_no_witness_itself(log, tmp_path):
    witness = checkpoint.verifier("w.example", b"w" * 32, KeyType.COSIGNATURE)
    policy = f"log {KEY}\nwitness w {witness}\nquorum w\n"
    path = log.bundle(tmp_path / "b.zip", old=3, cosigned=True)
    assert verify.verify(path, policy=policy, pinned=log.head(3))["result"] == "verified"


@pytest.mark.parametrize(("content", "result"), [(b"credential", "verified"), (b"Credential", "refused")])
def test_a_credential_must_be_the_one_that_was_logged(log, tmp_path, content, result):
    report = verify.verify(log.bundle(tmp_path / "b.zip", extra={"manifests/j.c2pa": content}), vkey=str(KEY))
    assert report["result"] == result
    assert ("manifests" in codes(report)) == (result == "verified")
    assert ("NOT PROVEN  manifests/j.c2pa" in verify.describe(report)) == (result == "refused")


def disclosure(**changes):
    return json.dumps({"salt": SALT, "jcs": '{"reason":"asked"}', **changes}).encode()


SHOWN = "entries/000000006.disclosure.json"


def test_a_disclosure_is_what_the_entry_commits_to(log, tmp_path):
    report = verify.verify(log.bundle(tmp_path / "b.zip", extra={SHOWN: disclosure()}), vkey=str(KEY))
    assert report["result"] == "verified"
    assert report["entries"][6]["disclosed"] == '{"reason":"asked"}'
    assert "disclosures" in codes(report)


@pytest.mark.parametrize(
    "content",
    [
        disclosure(jcs='{"reason":"Asked"}'),
        disclosure(salt="5b" * 32),
        disclosure(salt="5a"),
        disclosure(salt=None),
        disclosure(jcs=1),
        b"[]",
        b"{}",
        b"not json",
    ],
)
def test_a_false_disclosure_is_refused(log, tmp_path, content):
    report = verify.verify(log.bundle(tmp_path / "b.zip", extra={SHOWN: content}), vkey=str(KEY))
    assert report["result"] == "refused"
    assert not report["entries"][6]["ok"]


@pytest.mark.parametrize("name", ["entries/000000000.disclosure.json", "entries/000000099.disclosure.json"])
def test_a_disclosure_without_its_commitment_is_refused(log, tmp_path, name):
    path = log.bundle(tmp_path / "b.zip", extra={name: disclosure()})
    assert verify.verify(path, vkey=str(KEY))["result"] == "refused"


def test_files_are_told_apart_by_their_bytes(log, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    (media / "ours.mp4").write_bytes(b"ours")
    (media / "theirs.mp4").write_bytes(b"theirs")
    log.bodies.append(json.dumps({"type": "x", "output": hashlib.sha256(b"ours").hexdigest()}).encode())
    path = log.bundle(tmp_path / "b.zip")
    report = verify.verify(path, vkey=str(KEY), media=str(media))
    assert {"code": "media", "names": "ours.mp4"} in report["proven"]
    assert {"code": "unmatched", "names": "theirs.mp4"} in report["not_proven"]
    assert "media" in codes(verify.verify(path, vkey=str(KEY)), "not_proven")


def test_every_code_has_its_words(log, tmp_path):
    assert verify.PROVEN.keys() == {
        *("entries", "witnesses", "pinned", "manifests", "disclosures", "media", "stamped"),
    }
    report = verify.verify(log.bundle(tmp_path / "b.zip"))
    assert {item["code"] for item in report["not_proven"]} <= verify.NOT_PROVEN.keys()


def test_300_events_are_verified_offline_within_two_seconds(tmp_path):
    many = Log(*({"type": "generation.queued", "job": f"{n:032x}"} for n in range(300)))
    path = many.bundle(tmp_path / "b.zip", old=256)
    (tmp_path / "verify.py").write_bytes(zipfile.ZipFile(path).read("verify.py"))
    (tmp_path / "vkey").write_text(f"{KEY}\n")
    (tmp_path / "pinned").write_text(many.head(256))
    options = ["--vkey", tmp_path / "vkey", "--pinned", tmp_path / "pinned"]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-S", "-I", tmp_path / "verify.py", path, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "checkpoint of 256 entries" in done.stdout
    assert time.perf_counter() - started < 10  # 0.3 s alone; the machine may be busy


@pytest.fixture
def written(home, sequencing):
    """A signed log with two heads: the first is kept."""

    def add(event):
        with transaction.atomic():
            return services.append(event, actor=ACTOR)

    selectors.receipt(add(LabelApplied(job="j", label="1")), timeout_s=10)
    kept = selectors.checkpoint()
    done = GenerationFinished(job="j", output="ab" * 32, bytes=1, mime="video/mp4")
    selectors.receipt(add(done), timeout_s=10)
    return kept


def test_the_log_proves_its_growth_to_who_kept_a_checkpoint(written, tmp_path):
    export.bundle(tmp_path / "b.zip", indexes=[1, 2], pinned=written.note)
    report = verify.verify(str(tmp_path / "b.zip"), vkey=str(selectors.log_key()), pinned=written.note)
    assert (report["result"], report["pinned"]) == ("verified", written.size)


def test_a_kept_checkpoint_of_the_newest_size_needs_no_hashes(written, tmp_path):
    now = selectors.checkpoint().note
    export.bundle(tmp_path / "b.zip", indexes=[1], pinned=now)
    report = verify.verify(str(tmp_path / "b.zip"), vkey=str(selectors.log_key()), pinned=now)
    assert report["result"] == "verified"


def test_a_checkpoint_of_another_log_is_not_bundled(written, tmp_path, log, home):
    with pytest.raises(NoteError):
        export.bundle(tmp_path / "b.zip", indexes=[1], pinned=log.head(3))
    assert not (tmp_path / "b.zip").exists()


def test_a_log_that_lost_its_past_does_not_bundle(written, tmp_path, home):
    seed = FileKeyring().seed("log")
    key = selectors.log_key()
    for size, message in ((2, "does not extend"), (99, "signed entries")):
        forged = checkpoint.sign(Checkpoint(key.name, size, b"\0" * 32), seed)
        with pytest.raises(ProofError, match=message):
            export.bundle(tmp_path / "b.zip", indexes=[1], pinned=forged)
