import json
from pathlib import Path

import pytest

from audit import checkpoint, policy
from audit.checkpoint import Checkpoint, KeyType, TlogProof
from audit.errors import NoteError, PolicyError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "audit.json").read_text())
LOG, W1 = f"log {VECTORS['log_vkey']}", f"witness w1 {VECTORS['witness_vkey']}"
NOTE = TlogProof.parse(VECTORS["proof5"]).note
LOG_SEED = bytes(range(32))


def witness(number):
    key = checkpoint.verifier(f"w{number}.example", bytes([number]) * 32, KeyType.COSIGNATURE)
    return f"witness w{number} {key}"


BAD_POLICIES = {
    "empty": [],
    "no quorum": [LOG],
    "no log": ["quorum none"],
    "two quorums": [LOG, "quorum none", "quorum none"],
    "unknown quorum": [LOG, "quorum w1"],
    "unknown keyword": [LOG, "trust me", "quorum none"],
    "log key as witness": [LOG, f"witness w1 {VECTORS['log_vkey']}", "quorum none"],
    "witness key as log": [f"log {VECTORS['witness_vkey']}", "quorum none"],
    "key twice": [LOG, LOG, "quorum none"],
    "witness key twice": [LOG, W1, W1.replace(" w1 ", " w2 "), "quorum none"],
    "name twice": [LOG, W1, witness(2).replace(" w2 ", " w1 "), "quorum none"],
    "witness named none": [LOG, W1.replace(" w1 ", " none "), "quorum none"],
    "member before its definition": [LOG, "group g any w1", W1, "quorum g"],
    "member twice": [LOG, W1, "group g any w1 w1", "quorum g"],
    "member of two groups": [LOG, W1, "group g any w1", "group h any w1", "quorum g"],
    "empty group": [LOG, W1, "group g any", "quorum g"],
    "0 of 1": [LOG, W1, "group g 0 w1", "quorum g"],
    "2 of 1": [LOG, W1, "group g 2 w1", "quorum g"],
    "01 of 1": [LOG, W1, "group g 01 w1", "quorum g"],
    "control character": [LOG, "quorum none\r"],
    "broken key": [LOG[:-4], "quorum none"],
}


@pytest.mark.parametrize("lines", BAD_POLICIES.values(), ids=BAD_POLICIES.keys())
def test_malformed_policy_is_refused(lines):
    with pytest.raises(PolicyError):
        policy.parse("\n".join(lines) + "\n")


def test_log_and_no_quorum():
    trusted = policy.parse(f"# the bank's log\n\n{LOG} https://log.example/\nquorum none\n")
    assert trusted.open_checkpoint(NOTE).size == 8


def test_witness_quorum_is_met_by_the_cosignature_only():
    trusted = policy.parse(f"{LOG}\n{W1}\nquorum w1\n")
    assert trusted.open_checkpoint(NOTE).size == 8
    alone = checkpoint.sign(Checkpoint.parse(NOTE.partition("\n\n")[0] + "\n"), LOG_SEED)
    with pytest.raises(PolicyError):
        trusted.open_checkpoint(alone)


def test_a_witness_does_not_stand_in_for_the_log():
    other = checkpoint.verifier("other.example/log", bytes(32))
    with pytest.raises(NoteError):
        policy.parse(f"log {other}\n{W1}\nquorum w1\n").open_checkpoint(NOTE)


@pytest.mark.parametrize(
    ("cosigned", "met"),
    [
        (set(), False),
        ({"w1"}, False),
        ({"w1", "w2"}, False),
        ({"w1", "w3"}, True),
        ({"w3", "w4"}, False),
        ({"w1", "w2", "w3", "w4"}, True),
    ],
)
def test_nested_groups_count_their_members(cosigned, met):
    lines = [
        LOG,
        *map(witness, (1, 2, 3, 4)),
        "group here any w1 w2",
        "group there any w3 w4",
        "group both all here there",
        "quorum both",
    ]
    assert policy.parse("\n".join(lines)).is_met("both", cosigned) is met


def test_thirty_two_witnesses_are_read():
    lines = [
        LOG,
        *map(witness, range(1, 33)),
        "group g 17 " + " ".join(f"w{i}" for i in range(1, 33)),
        "quorum g",
    ]
    assert policy.parse("\n".join(lines)).groups["g"].needed == 17
