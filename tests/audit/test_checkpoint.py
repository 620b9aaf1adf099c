import json
from pathlib import Path

import pytest

from audit import checkpoint, merkle
from audit.checkpoint import Checkpoint, KeyType, Note, TlogProof, VerifierKey
from audit.errors import CheckpointError, NoteError, ProofError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "audit.json").read_text())
LOG_SEED, WITNESS_SEED = bytes(range(32)), bytes(range(32, 64))
ORIGIN, WITNESS = "likeness.example/audit", "witness.example/w1"
LOG, COSIGNER = VerifierKey.parse(VECTORS["log_vkey"]), VerifierKey.parse(VECTORS["witness_vkey"])
HEAD = Checkpoint(ORIGIN, 8, bytes.fromhex(VECTORS["root8"]))
NOTE = TlogProof.parse(VECTORS["proof5"]).note
ROOT = checkpoint.encode(HEAD.root)

BAD_BODIES = {
    "no final line feed": f"{ORIGIN}\n8\n{ROOT}",
    "two lines": f"{ORIGIN}\n8\n",
    "leading zero": f"{ORIGIN}\n08\n{ROOT}\n",
    "sign": f"{ORIGIN}\n+8\n{ROOT}\n",
    "not ASCII digits": f"{ORIGIN}\n٨\n{ROOT}\n",
    "size beyond 2^63 - 1": f"{ORIGIN}\n9223372036854775808\n{ROOT}\n",
    "empty origin": f"\n8\n{ROOT}\n",
    "space in origin": f"a b\n8\n{ROOT}\n",
    "plus in origin": f"a+b\n8\n{ROOT}\n",
    "root of 31 bytes": f"{ORIGIN}\n8\n{checkpoint.encode(bytes(31))}\n",
    "root without padding": f"{ORIGIN}\n8\n{ROOT[:-1]}\n",
    "root with stray bits": f"{ORIGIN}\n8\n{ROOT[:-2]}h=\n",
    "root with a space": f"{ORIGIN}\n8\n{ROOT} \n",
    "empty extension": f"{ORIGIN}\n8\n{ROOT}\n\n",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_malformed_checkpoint_is_refused(body):
    with pytest.raises(CheckpointError):
        Checkpoint.parse(body)


def test_checkpoint_keeps_extension_lines_to_the_signature():
    assert Checkpoint.parse(f"{HEAD}one more line\n") == HEAD


def spoiled(note, old, new):
    assert old in note
    return note.replace(old, new, 1)


BAD_NOTES = {
    "empty": "",
    "no signature": str(HEAD) + "\n",
    "no empty line": spoiled(NOTE, "\n\n", "\n"),
    "no final line feed": NOTE[:-1],
    "text changed": spoiled(NOTE, "\n8\n", "\n9\n"),
    "carriage return": spoiled(NOTE, "\n8\n", "\n8\r\n"),
    "control character": spoiled(NOTE, "\n8\n", "\n8\x01\n"),
    "hyphen for the dash": spoiled(NOTE, "\u2014", "-"),
    "two spaces": spoiled(NOTE, "\u2014 ", "\u2014  "),
    "log signature changed": spoiled(NOTE, " XqXF2yMg", " XqXF2yMh"),
    "log signature with a stray bit": spoiled(NOTE, "Kwewk=", "Kwewl="),
    "witness signature changed": spoiled(NOTE, "UkCHAQ==", "UkCHAA=="),
    "witness time changed": spoiled(NOTE, "IDJKvgAAAABlU/EA", "IDJKvgAAAABlU/EB"),
    "known key, signature cut": spoiled(NOTE, "fLKwewk=", "fLKw"),
    "key id only": f"{HEAD}\n\u2014 {ORIGIN} {checkpoint.encode(LOG.id)}\n",
    "only unknown keys": spoiled(spoiled(NOTE, "XqXF", "AAAA"), "IDJK", "AAAA"),
    "too long": NOTE + "\u2014 other AAAAAAAA\n" * 20_000,
}


@pytest.mark.parametrize("note", BAD_NOTES.values(), ids=BAD_NOTES.keys())
def test_bad_note_is_refused(note):
    with pytest.raises(NoteError):
        Note.parse(note).signers([LOG, COSIGNER])


def test_cosignature_at_time_zero_is_refused():
    with pytest.raises(NoteError):
        checkpoint.cosign(HEAD, name=WITNESS, seed=WITNESS_SEED, time=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name+00",
        VECTORS["log_vkey"].replace("5ea5c5db", "5ea5c5dc"),
        VECTORS["log_vkey"].replace("5ea5c5db", "5EA5C5DB"),
        VECTORS["log_vkey"].replace("likeness", "like ness"),
        VECTORS["log_vkey"][:-4],
        f"{ORIGIN}+5ea5c5db+" + checkpoint.encode(b"\x02" + LOG.public),
        VECTORS["log_vkey"] + "\n",
    ],
)
def test_malformed_verifier_key_is_refused(text):
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


def test_c2sp_example_note_verifies():
    key = VerifierKey.parse(VECTORS["note_vkey"])
    assert str(key) == VECTORS["note_vkey"]
    assert Note.parse(VECTORS["note"]).signers([key]) == {key: None}
    assert str(Note.parse(VECTORS["note"])) == VECTORS["note"]


def test_signing_gives_the_vector_byte_for_byte():
    assert str(checkpoint.verifier(ORIGIN, LOG_SEED)) == VECTORS["log_vkey"]
    assert str(checkpoint.verifier(WITNESS, WITNESS_SEED, KeyType.COSIGNATURE)) == VECTORS["witness_vkey"]
    line = checkpoint.cosign(HEAD, name=WITNESS, seed=WITNESS_SEED, time=1_700_000_000)
    assert checkpoint.sign(HEAD, LOG_SEED) + line == NOTE
    assert Note.parse(NOTE).signers([LOG, COSIGNER]) == {LOG: None, COSIGNER: 1_700_000_000}


def test_unknown_signatures_are_ignored():
    many = NOTE + "\u2014 other.example AAAAAAAA\n" * 20
    assert checkpoint.open_checkpoint(many, LOG) == HEAD


def test_a_key_signs_checkpoints_of_its_own_log_only():
    other = checkpoint.verifier("other.example/log", LOG_SEED)
    foreign = Note(
        str(HEAD), Note.parse(checkpoint.sign(Checkpoint(other.name, 1, bytes(32)), LOG_SEED)).signatures
    )
    with pytest.raises(NoteError):
        checkpoint.open_checkpoint(str(foreign), other)
    with pytest.raises(NoteError):
        checkpoint.open_checkpoint(NOTE, other)


PROOF = VECTORS["proof5"]
BAD_PROOFS = {
    "empty": "",
    "header": spoiled(PROOF, "@v1", "@v2"),
    "no index": spoiled(PROOF, "index 5\n", ""),
    "leading zero": spoiled(PROOF, "index 5", "index 05"),
    "negative": spoiled(PROOF, "index 5", "index -5"),
    "beyond 2^63 - 1": spoiled(PROOF, "index 5", "index 9223372036854775808"),
    "hash of 30 bytes": spoiled(
        PROOF, "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=", checkpoint.encode(bytes(30))
    ),
    "hash not base64": spoiled(PROOF, "vBoG", "vB?G"),
    "64 hashes": spoiled(PROOF, "index 5\n", "index 5\n" + (checkpoint.encode(bytes(32)) + "\n") * 61),
    "extra not base64": spoiled(PROOF, "index 5", "extra ?\nindex 5"),
    "CRLF": PROOF.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("text", BAD_PROOFS.values(), ids=BAD_PROOFS.keys())
def test_malformed_proof_file_is_refused(text):
    with pytest.raises(ProofError):
        TlogProof.parse(text)


def test_proof_vector_reads_verifies_and_writes_the_same():
    proof = TlogProof.parse(PROOF)
    assert str(proof) == PROOF
    head = checkpoint.open_checkpoint(proof.note, LOG)
    leaf = merkle.leaf_hash(bytes.fromhex(VECTORS["inputs"][5]))
    merkle.verify_inclusion(proof.index, head.size, leaf, proof.hashes, head.root)


def test_extra_line_of_a_proof_is_dropped():
    assert TlogProof.parse(spoiled(PROOF, "index 5", "extra AAAA\nindex 5")) == TlogProof.parse(PROOF)
