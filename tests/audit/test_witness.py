import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from audit import checkpoint, merkle, witness, witness_http
from audit.checkpoint import Checkpoint, KeyType, Note, Signature
from audit.errors import NoteError, WitnessError
from audit.tiles import TileTree
from audit.witness import Request, Witness

ORIGIN, SEED, NAME, NOW = "likeness.example/audit", bytes(range(32)), "witness.example/w1", 1_700_000_000
LEAVES = [merkle.leaf_hash(b"%d" % i) for i in range(200)]
OTHER = [bytes(32), *LEAVES[1:]]
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ROOT = Path(__file__).parents[2]


def tree(size, leaves=LEAVES):
    return TileTree(size, lambda _, n, width: b"".join(leaves[n * 256 : n * 256 + width]))


def head(size, leaves=LEAVES, origin=ORIGIN):
    return Checkpoint(origin, size, tree(size, leaves).root() if size else merkle.EMPTY_ROOT)


def signed(size, leaves=LEAVES, seed=SEED, origin=ORIGIN):
    return checkpoint.sign(head(size, leaves, origin), seed)


def request(old, size, leaves=LEAVES, proof=None):
    hashes = tree(size, leaves).consistency(old) if proof is None else proof
    return str(Request(old, tuple(hashes), signed(size, leaves))).encode()


@pytest.fixture
def place(tmp_path):
    witness.create(tmp_path / "w", name=NAME)
    witness.trust(tmp_path / "w", checkpoint.verifier(ORIGIN, SEED))
    return tmp_path / "w"


@pytest.fixture
def held(place):
    made = Witness(place, now=lambda: NOW)
    assert made.add_checkpoint(request(0, 100)).status == 200
    yield made
    made.close()


def swapped(old, size):
    """A request whose signature is of other bytes."""
    body = request(old, size).decode()
    return body.replace(f"\n{size}\n", f"\n{size + 1}\n").encode()


LATER = str(Request(100, tree(150).consistency(100), signed(150))).encode()
EMPTY = checkpoint.sign(Checkpoint(ORIGIN, 0, bytes(32)), SEED)
ASKED = {
    "empty body": (b"", 400),
    "not UTF-8": (b"old 100\n\n\xff", 400),
    "no old line": (b"hello\n\n" + signed(150).encode(), 400),
    "old with a leading zero": (LATER.replace(b"old 100", b"old 0100"), 400),
    "old negative": (LATER.replace(b"old 100", b"old -1"), 400),
    "old in other digits": (LATER.replace(b"old 100", "old ١".encode()), 400),
    "old beyond 63 bits": (LATER.replace(b"old 100", b"old " + b"9" * 20), 400),
    "hash of 31 bytes": (request(100, 150, proof=(b"x" * 31,)), 400),
    "64 hashes": (request(100, 150, proof=(bytes(32),) * 64), 400),
    "base64 not strict": (LATER.replace(b"=\n\n", b"\n\n"), 400),
    "no checkpoint": (b"old 100\n\n", 400),
    "no signature": (f"old 100\n\n{head(150)}".encode(), 400),
    "CRLF": (LATER.replace(b"\n", b"\r\n"), 400),
    "too long": (LATER + b"x" * witness.MAX_REQUEST_BYTES, 400),
    "unknown log": (str(Request(100, (), signed(150, origin="other.example/log"))).encode(), 404),
    "unknown log, wrong signature": (LATER.replace(ORIGIN.encode() + b"\n", b"other.example/log\n"), 404),
    "other key": (str(Request(100, (), signed(150, seed=bytes(32)))).encode(), 403),
    "signature of other bytes": (swapped(100, 150), 403),
    "wrong signature before old > size": (swapped(180, 200).replace(b"old 180", b"old 999"), 403),
    "old > size": (str(Request(151, (), signed(150))).encode(), 400),
    "old too small": (request(99, 150), 409),
    "old too large": (request(101, 150), 409),
    "old is 0": (request(0, 150), 409),
    "wrong old before a wrong proof": (request(99, 150, OTHER), 409),
    "other history": (request(100, 150, OTHER), 422),
    "same size, other root": (request(100, 100, OTHER), 422),
    "same size with a proof": (request(100, 100, proof=(bytes(32),)), 422),
    "no proof": (request(100, 150, proof=()), 422),
    "proof cut": (request(100, 150, proof=tree(150).consistency(100)[:-1]), 422),
    "proof too long": (request(100, 150, proof=(*tree(150).consistency(100), bytes(32))), 422),
    "proof of another size": (request(100, 150, proof=tree(150).consistency(99)), 422),
}


@pytest.mark.parametrize(("body", "status"), ASKED.values(), ids=ASKED.keys())
def test_what_does_not_extend_the_log_is_refused_and_forgotten(held, body, status):
    before = held.latest(hashlib.sha256(ORIGIN.encode()).hexdigest())
    answer = held.add_checkpoint(body)
    assert answer.status == status
    if status == 409:
        assert (answer.body, answer.content_type) == ("100\n", "text/x.tlog.size")
    assert held.latest(hashlib.sha256(ORIGIN.encode()).hexdigest()) == before
    assert held.add_checkpoint(request(100, 150)).status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (str(Request(0, (bytes(32),), signed(3))).encode(), 422),
        (str(Request(0, (), EMPTY)).encode(), 422),
        (str(Request(0, (), signed(0))).encode(), 200),
        (str(Request(1, (), signed(3))).encode(), 409),
    ],
    ids=["proof from nothing", "empty tree with a root", "empty tree", "nothing remembered"],
)
def test_first_checkpoint_has_rules_of_its_own(place, body, status):
    made = Witness(place)
    assert made.add_checkpoint(body).status == status
    made.close()


def test_cosignature_covers_the_whole_text_and_its_time(held):
    text = f"{head(150)}an extension\n"
    key = checkpoint.verifier(ORIGIN, SEED)
    value = checkpoint.Ed25519PrivateKey.from_private_bytes(SEED).sign(text.encode())
    note = Note(text, (Signature(ORIGIN, key.id, value),))
    answer = held.add_checkpoint(str(Request(100, tree(150).consistency(100), str(note))).encode())
    assert Note.parse(f"{note}{answer.body}").signers([held.key]) == {held.key: NOW}


def test_same_head_is_cosigned_again(held):
    assert held.add_checkpoint(request(100, 100, proof=())).status == 200


def test_monitor_shows_the_newest_head_without_strange_signatures(held):
    strange = str(Signature("stranger", b"abcd", b"x" * 64))
    body = request(100, 150).decode() + strange
    assert held.add_checkpoint(body.encode()).status == 200
    note = held.latest(hashlib.sha256(ORIGIN.encode()).hexdigest()).body
    assert "stranger" not in note
    assert set(Note.parse(note).signers([checkpoint.verifier(ORIGIN, SEED), held.key])) == {
        checkpoint.verifier(ORIGIN, SEED),
        held.key,
    }
    assert held.latest("0" * 64).status == 404


def test_log_may_change_its_key_while_the_witness_runs(held, place):
    new = checkpoint.verifier(ORIGIN, bytes(32))
    body = str(Request(100, tree(150).consistency(100), signed(150, seed=bytes(32)))).encode()
    assert held.add_checkpoint(body).status == 403
    witness.trust(place, new)
    witness.trust(place, new)
    assert held.add_checkpoint(body).status == 200
    assert len(witness.trusted(place)) == 2


def test_only_one_of_many_racing_requests_extends_the_head(held, place):
    second = Witness(place, now=lambda: NOW)
    sizes, statuses = range(101, 141), []

    def ask(size):
        statuses.append((held if size % 2 else second).add_checkpoint(request(100, size)).status)

    threads = [threading.Thread(target=ask, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    second.close()
    assert sorted(statuses) == [200] + [409] * (len(sizes) - 1)


def test_home_is_private_and_made_once(place):
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "witness.key").stat().st_mode) == 0o600
    with pytest.raises(WitnessError, match="already"):
        witness.create(place, name=NAME)


def test_unusable_homes_and_keys_are_refused(place, tmp_path):
    with pytest.raises(WitnessError, match="no witness"):
        Witness(tmp_path / "nothing")
    with pytest.raises(NoteError):
        witness.create(tmp_path / "bad", name="with space")
    with pytest.raises(WitnessError, match="not the key of a log"):
        witness.trust(place, checkpoint.verifier(NAME, bytes(32), KeyType.COSIGNATURE))
    (place / "witness.key").chmod(0o644)
    with pytest.raises(WitnessError, match="others may read"):
        Witness(place)
    (place / "witness.key").chmod(0o600)
    (place / "witness.key").write_bytes(bytes(32))
    with pytest.raises(WitnessError, match="not the key of"):
        Witness(place)


# ---- over HTTP


def call(url, data=None, **headers):
    try:
        with OPEN.open(urllib.request.Request(url, data=data, headers=headers), timeout=10) as answer:  # noqa: S310
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@pytest.fixture
def url(place):
    stop = threading.Event()
    arguments = {"host": "127.0.0.1", "port": 0, "stop": stop}
    thread = threading.Thread(target=witness_http.serve, args=(place,), kwargs=arguments)
    thread.start()
    while not (place / "url").exists():
        time.sleep(0.01)
    yield (place / "url").read_text().strip()
    stop.set()
    thread.join(10)


def test_protocol_over_http(url):
    monitor = f"{url}/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    assert call(monitor)[0] == 404
    status, kind, line = call(f"{url}/add-checkpoint", request(0, 100))
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert call(monitor) == (200, "text/plain; charset=utf-8", signed(100) + line)
    assert call(f"{url}/add-checkpoint", request(0, 150)) == (409, "text/x.tlog.size", "100\n")
    assert call(f"{url}/add-checkpoint", request(100, 150, OTHER))[0] == 422
    assert call(f"{url}/add-checkpoint", b"x", **{"Content-Length": "600000"})[0] == 400
    assert call(f"{url}/add-checkpoint", request(0, 3), **{"Content-Length": "abc"})[0] == 400
    assert call(f"{url}/other", b"x")[0] == 404
    assert call(monitor.replace("checkpoint", "tile"))[0] == 404
    assert call(f"{url}/{'G' * 64}/checkpoint")[0] == 404


@pytest.mark.slow
def test_killed_witness_remembers_every_head_that_it_cosigned(place):
    def start():
        (place / "url").unlink(missing_ok=True)
        child = subprocess.Popen(
            [sys.executable, "-m", "audit.witness_http", str(place)], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        while not (place / "url").exists():
            assert child.poll() is None
            time.sleep(0.02)
        return child, (place / "url").read_text().strip()

    size = 0
    for _ in range(4):
        child, url = start()
        for step in range(1, 6):
            assert call(f"{url}/add-checkpoint", request(size, size + step))[0] == 200
            size += step
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    made = Witness(place)
    assert made.add_checkpoint(request(0, size)).body == f"{size}\n"
    made.close()
