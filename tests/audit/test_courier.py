import pytest
from django.db import transaction

from audit import (
    checkpoint,
    courier,
    keys,
    merkle,
    selectors,
    sequencer,
    services,
    signer,
    witness,
    witnesses,
)
from audit.checkpoint import Checkpoint, Note
from audit.errors import EventError, KeyRotationError, NoteError, WitnessError
from audit.events import SYSTEM, Actor, GateDecided
from audit.sequencer import Sequencer
from audit.witness import Witness

ACTOR, OPERATOR = Actor("usr_0123456789abcdef", "demo"), Actor(SYSTEM, SYSTEM)


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
def log(live_database, home):
    sequence(5)
    with sequencer.connect() as connection:
        yield connection


@pytest.fixture
def outside(log, home, tmp_path):
    place = tmp_path / "outside"
    key = witness.create(place, name="regulator.example/w")
    witness.trust(place, signer.local().key)
    (home / "log.policy").write_text(f"log {signer.local().key}\nwitness regulator {key}\nquorum regulator\n")
    made = Witness(place)
    yield made
    made.close()


def test_courier_carries_requests_out_and_cosignatures_back(log, outside):
    for size, more in ((6, 3), (9, 0)):
        asked = str(courier.request(log, name="")).encode()
        assert courier.accept(log, courier.cosign(outside, asked)) == size
        assert selectors.witness_health().size == size
        sequence(more)
    assert not selectors.witness_health().alarm


def test_witness_that_refuses_says_why(log, outside):
    asked = courier.request(log, name="regulator")
    courier.cosign(outside, str(asked).encode())
    sequence(3)
    with pytest.raises(WitnessError, match="409: this witness cosigned a tree of 6"):
        courier.cosign(outside, str(courier.request(log, name="regulator")).encode())
    asked = courier.request(log, name="regulator", old=6)
    assert courier.accept(log, courier.cosign(outside, str(asked).encode())) == 9
    with pytest.raises(WitnessError, match="400"):
        courier.cosign(outside, b"nonsense")


def test_unknown_witness_is_named(log, outside):
    with pytest.raises(WitnessError, match="names regulator; other is asked for"):
        courier.request(log, name="other")


def test_note_without_a_known_cosignature_is_refused(log, outside):
    with pytest.raises(NoteError):
        courier.accept(log, selectors.checkpoint().note)
    assert not selectors.witness_health().frozen


def test_cosigned_head_that_the_log_never_signed_freezes_it(log, outside, home):
    seed = (home / "keys" / "log.key").read_bytes()
    other = Checkpoint(signer.local().key.name, 6, merkle.leaf_hash(b"other"))
    note = courier.cosign(outside, f"old 0\n\n{checkpoint.sign(other, seed)}".encode())
    with pytest.raises(WitnessError, match="not this log's"):
        courier.accept(log, note)
    assert selectors.witness_health().frozen
    with pytest.raises(EventError):
        services.resume(log, reason="a text with spaces", by=OPERATOR)
    assert selectors.witness_health().frozen
    services.resume(log, reason="disk.replaced", by=OPERATOR)
    assert not selectors.witness_health().frozen
    sequence(0)
    assert selectors.latest(1)[0].type == "log.resumed"
    with pytest.raises(WitnessError):
        services.resume(log, reason="again", by=OPERATOR)


# ---- rotation, seen by everyone


def test_rotation_is_logged_and_followed_by_policy_and_witness(log, outside, home):
    old = selectors.log_key()
    with pytest.raises(KeyRotationError, match="No rotation"):
        services.retire(by=OPERATOR)
    new = services.rotate(by=OPERATOR).key
    with pytest.raises(KeyRotationError, match="both keys"):
        services.retire(by=OPERATOR)
    sequence(1)
    note = Note.parse(selectors.checkpoint().note)
    assert set(note.signers([old, new])) == {old, new}
    assert set(witnesses.load().logs) == {old, new}
    witness.trust(outside._home, new)
    assert services.retire(by=OPERATOR) == old
    assert selectors.log_key() == new
    sequence(1)
    with pytest.raises(NoteError):
        checkpoint.open_checkpoint(selectors.checkpoint().note, old)
    assert courier.accept(log, courier.cosign(outside, str(courier.request(log, name="")).encode())) == 10
    types = [entry.type for entry in selectors.latest(4)]
    assert types == ["gate.decided", "key.retired", "gate.decided", "key.added"]
    assert [key.state for key in keys.read(signer.home())] == ["retired", "active"]
    assert signer.published_keys() == (old, new)


def test_check_holds_over_a_rotation(log, outside):
    from audit import fsck

    services.rotate(by=OPERATOR)
    sequence(2)
    services.retire(by=OPERATOR)
    sequence(2)
    assert fsck.check() == []
