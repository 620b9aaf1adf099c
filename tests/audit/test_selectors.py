import uuid

import pytest
from django.db import transaction

from audit import checkpoint, merkle, selectors, services, tiles
from audit.checkpoint import TlogProof
from audit.errors import (
    EntryNotFoundError,
    LogKeyMissingError,
    NoCheckpointError,
    ReceiptTimeoutError,
    TileError,
)
from audit.events import Actor, GenerationFinished, GenerationQueued
from audit.leaf import KeyKind

ACTOR = Actor("usr_0123456789abcdef", "demo")
OTHER = Actor("usr_fedcba9876543210", "other")
pytestmark = pytest.mark.usefixtures("home")


def append(event, actor=ACTOR):
    with transaction.atomic():
        return services.append(event, actor=actor)


@pytest.fixture
def three(home, sequencing):
    finished = GenerationFinished(job="job-1", output="ab" * 32, bytes=9, mime="video/mp4")
    ids = [
        append(GenerationQueued(job="job-1", consents=("con_1", "con_2"))),
        append(finished),
        append(GenerationQueued(job="job-2"), OTHER),
    ]
    return [selectors.receipt(event_id) for event_id in ids]


def test_receipt_of_an_unknown_event_times_out(live_database):
    with pytest.raises(ReceiptTimeoutError, match="not in the log"):
        selectors.receipt(uuid.uuid4(), timeout_s=0.02)


def test_receipt_of_an_uncommitted_event_times_out(home, sequencing):
    with transaction.atomic():
        event_id = services.append(GenerationQueued(job="job-1"), actor=ACTOR)
        with pytest.raises(ReceiptTimeoutError):
            selectors.receipt(event_id, timeout_s=0.1)


def test_entry_that_the_log_does_not_hold_is_refused(live_database):
    for index in (-1, 0, 4, 2**63 - 1, 2**80):
        with pytest.raises(EntryNotFoundError):
            selectors.entry(index)
    with pytest.raises(EntryNotFoundError):
        selectors.entry_of(uuid.uuid4())


def test_log_without_a_head_has_no_checkpoint_no_proof_and_no_key(live_database, home):
    with pytest.raises(NoCheckpointError):
        selectors.checkpoint()
    with pytest.raises(NoCheckpointError):
        selectors.proof(0)
    with pytest.raises(LogKeyMissingError):
        selectors.log_key()


def test_proof_beyond_the_signed_tree_is_refused(three):
    for index in (-1, 4, 2**63):
        with pytest.raises(EntryNotFoundError):
            selectors.proof(index)


def test_tile_beyond_the_signed_tree_is_refused(three):
    for path in ("0/000", "0/000.p/5", "0/001.p/1", "1/000.p/1", "entries/000", "0/00", "9/000"):
        with pytest.raises(TileError):
            selectors.tile(path)


def test_receipt_names_index_leaf_and_a_signed_tree_that_holds_it(three):
    assert [receipt.index for receipt in three] == [1, 2, 3]
    assert all(receipt.size > receipt.index for receipt in three)
    assert three[1].leaf_hash == selectors.entry(2).leaf_hash


def test_entries_are_found_by_every_key(three):
    def found(kind, value):
        return [entry.index for entry in selectors.entries(kind, value)]

    assert found(KeyKind.JOB, "job-1") == [1, 2]
    assert found(KeyKind.CONSENT, "con_2") == [1]
    assert found(KeyKind.OUTPUT, "ab" * 32) == [2]
    assert found(KeyKind.ACTOR, OTHER.id) == [3]
    assert found(KeyKind.TYPE, "generation.queued") == [1, 3]
    assert found(KeyKind.LEAF, three[2].leaf_hash) == [3]
    assert found(KeyKind.JOB, "job-3") == found(KeyKind.OUTPUT, "job-1") == []
    assert selectors.entry_of(selectors.entry(2).event_id).event["output"] == "ab" * 32


def test_latest_pages_backwards_and_keeps_to_a_tenant(three):
    assert [entry.index for entry in selectors.latest(2)] == [3, 2]
    assert [entry.index for entry in selectors.latest(5, before=2)] == [1, 0]
    assert [entry.index for entry in selectors.latest(5, tenant="demo")] == [2, 1]
    about = (KeyKind.TYPE, "generation.queued")
    assert [entry.index for entry in selectors.latest(5, about=about)] == [3, 1]
    assert [entry.index for entry in selectors.latest(5, about=about, tenant="demo")] == [1]
    assert selectors.latest(5, before=1, about=about) == []
    assert selectors.latest(5, before=0) == selectors.latest(5, tenant="nobody") == []


def test_every_entry_has_a_proof_that_verifies(three):
    head = selectors.checkpoint()
    assert checkpoint.open_checkpoint(head.note, selectors.log_key()).root.hex() == head.root
    for index in range(head.size):
        proof = TlogProof.parse(selectors.proof(index))
        signed = checkpoint.open_checkpoint(proof.note, selectors.log_key())
        leaf_hash = merkle.leaf_hash(selectors.entry(index).body)
        merkle.verify_inclusion(proof.index, signed.size, leaf_hash, proof.hashes, signed.root)


def test_tiles_of_old_and_new_widths_are_served(three):
    leaves = [bytes.fromhex(selectors.entry(index).leaf_hash) for index in range(4)]
    assert selectors.tile("0/000.p/4") == b"".join(leaves)
    assert selectors.tile("0/000.p/2") == b"".join(leaves[:2])
    assert tiles.unbundle(selectors.tile("entries/000.p/4")) == [selectors.entry(i).body for i in range(4)]
