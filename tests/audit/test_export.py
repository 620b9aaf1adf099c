import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.db import transaction

from audit import checkpoint, export, merkle, selectors, services, tiles, verify
from audit.checkpoint import Checkpoint, KeyType, TlogProof
from audit.errors import EntryNotFoundError, NoCheckpointError
from audit.events import Actor, GenerationFinished, GenerationQueued

ACTOR = Actor("usr_0123456789abcdef", "demo")
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "audit.json").read_text())


@pytest.fixture
def filled(home, sequencing):
    with transaction.atomic():
        for number in range(299):
            event_id = services.append(GenerationQueued(job=f"job-{number}"), actor=ACTOR)
    selectors.receipt(event_id, timeout_s=10)


def test_log_that_was_never_signed_is_not_exported(live_database, home, tmp_path):
    with pytest.raises(NoCheckpointError):
        export.export(tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_export_is_a_whole_log_of_static_files(filled, tmp_path):
    folder = tmp_path / "log"
    done = export.export(folder)
    head = checkpoint.open_checkpoint(
        (folder / "checkpoint").read_text(),
        checkpoint.VerifierKey.parse((folder / "log.vkey").read_text().strip()),
    )
    assert (done.size, head.size) == (300, 300)
    assert done.files == sum(path.is_file() for path in folder.rglob("*")) == 2 * 300 + 5 + 2

    def read(level, n, width):
        return (folder / str(tiles.TilePath(level, n, width))).read_bytes()

    assert tiles.TileTree(300, read).root() == head.root
    entries = tiles.unbundle(read(None, 0, 256)) + tiles.unbundle(read(None, 1, 44))
    for index, body in enumerate(entries):
        assert (folder / f"entries/{index:09d}.json").read_bytes() == body
        proof = TlogProof.parse((folder / f"proofs/{index:09d}.tlog-proof").read_text())
        merkle.verify_inclusion(index, 300, merkle.leaf_hash(body), proof.hashes, head.root)


def run_verifier(path, *options):
    with zipfile.ZipFile(path) as archive:
        script = Path(path).parent / "verify.py"
        script.write_bytes(archive.read("verify.py"))
    command = [sys.executable, "-S", "-I", str(script), str(path), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def made(home, sequencing, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    (media / "out.mp4").write_bytes(b"video")
    digest = hashlib.sha256(b"video").hexdigest()
    with transaction.atomic():
        services.append(GenerationQueued(job="job-1"), actor=ACTOR)
        finished = GenerationFinished(job="job-1", output=digest, bytes=5, mime="video/mp4")
        event_id = services.append(finished, actor=ACTOR)
    selectors.receipt(event_id, timeout_s=10)
    export.bundle(tmp_path / "bundle.zip", indexes=[0, 1, 2, 2], extra={"note.txt": b"more"})
    (tmp_path / "log.vkey").write_text(f"{selectors.log_key()}\n")
    return tmp_path / "bundle.zip"


def test_bundle_verifies_outside_the_project(made, tmp_path):
    done = run_verifier(made, "--vkey", tmp_path / "log.vkey", "--media", tmp_path / "media")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 proven, 0 not proven: verified." in done.stdout
    assert "the file out.mp4" in done.stdout
    assert "Who made this bundle" not in done.stdout
    assert "out.mp4: byte for byte what was logged as delivered" in done.stdout


def test_bundle_without_a_key_from_elsewhere_says_what_is_not_proven(made):
    done = run_verifier(made)
    assert done.returncode == 0
    assert "Who made this bundle" in done.stdout
    assert json.loads(run_verifier(made, "--json").stdout)["key"] == "bundle"


def test_bundle_of_another_log_is_refused(made, tmp_path):
    (tmp_path / "other.vkey").write_text(VECTORS["log_vkey"])
    done = run_verifier(made, "--vkey", tmp_path / "other.vkey", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["result"]) == (1, "refused")
    assert all("no trusted key" in entry["error"] for entry in report["entries"])


def test_entry_beyond_the_signed_tree_is_not_bundled(made, tmp_path):
    with pytest.raises(EntryNotFoundError):
        export.bundle(tmp_path / "other.zip", indexes=[3])
    assert not list(tmp_path.glob("*other.zip*"))


def test_same_evidence_gives_the_same_bytes(made, tmp_path):
    export.bundle(tmp_path / "again.zip", indexes=[2, 1, 0], extra={"note.txt": b"more"})
    assert (tmp_path / "again.zip").read_bytes() == made.read_bytes()


FIRST, PROOF = "entries/000000001.json", "entries/000000001.tlog-proof"


def swapped(files):
    other = "entries/000000002.tlog-proof"
    files[PROOF], files[other] = files[other], files[PROOF]


MUTATIONS = {
    "entry edited": lambda files: files.update({FIRST: files[FIRST].replace(b"queued", b"failed")}),
    "space added": lambda files: files.update({FIRST: files[FIRST] + b" "}),
    "proof removed": lambda files: files.pop(PROOF),
    "entry removed, proof left": lambda files: files.pop(FIRST),
    "proofs swapped": swapped,
    "proof cut": lambda files: files.update({PROOF: files[PROOF][:-20]}),
    "proof not UTF-8": lambda files: files.update({PROOF: b"\xff"}),
    "index changed": lambda files: files.update({PROOF: files[PROOF].replace(b"index 1", b"index 2")}),
    "size changed": lambda files: files.update({PROOF: files[PROOF].replace(b"\n3\n", b"\n4\n")}),
    "unknown file among the entries": lambda files: files.update({"entries/readme": b""}),
    "entry under another name": lambda files: files.update({"entries/1.json": files.pop(FIRST)}),
    "no entries": lambda files: [files.pop(name) for name in list(files) if name.startswith("entries/")],
    "no key": lambda files: files.pop("log.vkey"),
    "broken key": lambda files: files.update({"log.vkey": b"x"}),
    "second key line": lambda files: files.update({"log.vkey": files["log.vkey"] + b"quorum none\n"}),
}


def test_changed_bundle_is_refused(made, tmp_path, subtests):
    with zipfile.ZipFile(made) as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    for name, mutate in MUTATIONS.items():
        files, changed = dict(whole), tmp_path / "changed.zip"
        mutate(files)
        with zipfile.ZipFile(changed, "w") as archive:
            for member, content in files.items():
                archive.writestr(member, content)
        report = verify.verify(str(changed))
        with subtests.test(name):
            assert report["result"] == "refused"
            assert (
                report["error"]
                or not all(entry["ok"] for entry in report["entries"])
                or not report["entries"]
            )


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_file_that_is_no_bundle_is_refused(tmp_path, content):
    path = tmp_path / "bundle.zip"
    if content is not None:
        path.write_bytes(content)
    assert verify.verify(str(path))["result"] == "refused"


def test_bundle_with_a_name_twice_is_refused(made):
    with zipfile.ZipFile(made, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(FIRST, b"{}")
    assert "twice" in verify.verify(str(made))["error"]


def test_wrong_use_ends_with_2(made, tmp_path):
    (tmp_path / "empty").write_text("")
    assert run_verifier(made, "--vkey", tmp_path / "missing").returncode == 2
    assert run_verifier(made, "--policy", tmp_path / "empty").returncode == 2
    assert run_verifier(made, "--vkey", "a", "--policy", "b").returncode == 2


def witnessed(cosigners):
    seeds = {name: bytes([number]) * 32 for number, name in enumerate(("w1", "w2", "w3"), 1)}
    lines = [f"log {VECTORS['log_vkey']}"]
    for name, seed in seeds.items():
        lines.append(f"witness {name} {checkpoint.verifier(name + '.example', seed, KeyType.COSIGNATURE)}")
    head = Checkpoint("likeness.example/audit", 8, bytes.fromhex(VECTORS["root8"]))
    note = checkpoint.sign(head, bytes(range(32)))
    for name in cosigners:
        note += checkpoint.cosign(head, name=name + ".example", seed=seeds[name], time=1_700_000_000)
    return note, "\n".join(lines) + "\ngroup g 2 w1 w2 w3\nquorum g\n"


def test_policy_of_two_witnesses_out_of_three():
    note, text = witnessed(["w3", "w1"])
    assert verify.Policy(text).head(note).witnesses == ("w1", "w3")
    note, text = witnessed(["w2"])
    with pytest.raises(verify.RefusedError, match="did not cosign"):
        verify.Policy(text).head(note)


@pytest.mark.parametrize("old", ["Kwewk", "XqXF2yMg"])
def test_wrong_signature_of_the_log_is_refused(old):
    note = TlogProof.parse(VECTORS["proof5"]).note
    policy = verify.Policy(f"log {VECTORS['log_vkey']}\nquorum none\n")
    assert policy.head(note).size == 8
    with pytest.raises(verify.RefusedError):
        policy.head(note.replace(old, "A" * len(old)))
