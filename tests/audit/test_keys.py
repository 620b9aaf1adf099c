import base64
import json
import stat
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import checkpoint, keys, merkle, signer
from audit.checkpoint import Checkpoint, Note
from audit.errors import KeyRotationError, SignerRefusedError, SignerUnavailableError, SigningFrozenError
from audit.signer import FileSigner
from audit.tiles import TileTree

ORIGIN, SEED, TOKEN = "likeness.example/audit", bytes(range(32)), "hvs.test"
LEAVES = [merkle.leaf_hash(b"%d" % i) for i in range(200)]


def tree(size):
    return TileTree(size, lambda _, n, width: b"".join(LEAVES[n * 256 : n * 256 + width]))


def head(size):
    return Checkpoint(ORIGIN, size, tree(size).root())


@pytest.fixture
def place(tmp_path):
    return tmp_path / "signer"


@pytest.fixture
def made(place):
    made = FileSigner(ORIGIN, seed=SEED, home=place)
    made.sign(head(100), ())
    return made


def signers(note, place):
    return set(Note.parse(note).signers([key.key for key in keys.read(place)]))


def test_every_checkpoint_of_an_overlap_is_signed_by_both_keys(made, place):
    old = made.key
    new = keys.make_file_key(place, ORIGIN)
    keys.add(place, new)
    note = made.sign(head(150), tree(150).consistency(100))
    assert signers(note, place) == {old, new.key}
    for key in (old, new.key):
        assert checkpoint.open_checkpoint(note, key) == head(150)
    assert made.key == old
    keys.retire(place, old)
    assert made.key == new.key
    assert (place / "log.vkey").read_text() == f"{new.key}\n"
    assert made.mark() == head(150)
    assert signers(made.sign(head(200), tree(200).consistency(150)), place) == {new.key}
    assert FileSigner(ORIGIN, seed=SEED, home=place).mark() == head(200)


def test_retired_key_is_destroyed_and_never_used_again(made, place):
    second, third = (keys.make_file_key(place, ORIGIN) for _ in range(2))
    first = keys.read(place)[0]
    keys.add(place, second)
    assert len(list(place.glob("*.seed"))) == 2
    keys.retire(place, first.key)
    keys.add(place, third)
    keys.retire(place, second.key)
    assert [path.stem for path in place.glob("*.seed")] == [third.key.id.hex()]
    for used in (first, second, third):
        with pytest.raises(KeyRotationError, match="used before"):
            keys.add(place, used)


def test_seed_of_a_rotation_is_private(made, place):
    keys.make_file_key(place, ORIGIN)
    [path] = place.glob("*.seed")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32


def test_only_one_rotation_at_a_time_and_never_without_a_key(made, place):
    with pytest.raises(KeyRotationError, match="only one"):
        keys.retire(place, made.key)
    keys.add(place, keys.make_file_key(place, ORIGIN))
    with pytest.raises(KeyRotationError, match="Two keys"):
        keys.add(place, keys.make_file_key(place, ORIGIN))
    with pytest.raises(KeyRotationError, match="does not sign"):
        keys.retire(place, checkpoint.verifier(ORIGIN, bytes(32)))


def test_replaced_keyring_is_refused(made, place):
    with pytest.raises(SignerRefusedError, match="replaced"):
        FileSigner(ORIGIN, seed=bytes(32), home=place).sign(head(150), tree(150).consistency(100))
    assert made.mark() == head(100)


def test_key_published_before_there_was_a_list_goes_on(made, place):
    (place / "keys").unlink()
    assert FileSigner(ORIGIN, seed=SEED, home=place).mark() == head(100)
    (place / "keys").unlink()
    with pytest.raises(SignerRefusedError, match="replaced"):
        FileSigner(ORIGIN, seed=bytes(32), home=place)


def test_home_of_another_origin_is_refused(made, place):
    with pytest.raises(SignerRefusedError, match="not for other"):
        FileSigner("other.example/audit", seed=SEED, home=place)


@pytest.mark.parametrize(
    "content", ["active\n", "active x keyring\n", "busy {key} keyring\n", "active {key} pocket\n"]
)
def test_damaged_list_of_keys_is_refused(made, place, content):
    (place / "keys").write_text(content.format(key=made.key))
    with pytest.raises(SignerRefusedError, match="damaged"):
        made.sign(head(150), tree(150).consistency(100))


def test_seed_that_is_missing_or_open_to_others_is_refused(made, place):
    keys.add(place, keys.make_file_key(place, ORIGIN))
    [path] = place.glob("*.seed")
    path.chmod(0o644)
    for _ in range(2):
        with pytest.raises(SignerRefusedError, match="missing, or others"):
            made.sign(head(150), tree(150).consistency(100))
        path.unlink(missing_ok=True)
    assert made.mark() == head(100)


def test_frozen_log_is_not_signed_until_it_is_thawed(made, place):
    signer.freeze(place, "evidence")
    signer.freeze(place, "later evidence")
    with pytest.raises(SigningFrozenError):
        made.sign(head(150), tree(150).consistency(100))
    assert signer.thaw(place).read_text() == "evidence"
    assert made.sign(head(150), tree(150).consistency(100))


# ---- Vault's transit engine: a fake of its documented API


class Vault:
    """Keys by name; every version has a private key. `fault` bends the next answers."""

    def __init__(self):
        self.privates = {"log": [Ed25519PrivateKey.generate()]}
        self.fault = ""
        vault = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(vault.key(self.path.rpartition("/")[2]))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(vault.sign(self.path.rpartition("/")[2], body))

            def answer(self, data):
                status = 200 if data is not None else 404
                if self.headers["X-Vault-Token"] != TOKEN or not self.path.startswith("/v1/transit/"):
                    status, data = 403, None
                if vault.fault == "sealed":
                    status, data = 503, None
                text = json.dumps({"data": data} if data is not None else {"errors": ["no"]})
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"<html>" if vault.fault == "no json" else text.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/transit/keys/log"

    def key(self, name):
        if name not in self.privates:
            return None
        publics = [
            base64.b64encode(key.public_key().public_bytes_raw()).decode() for key in self.privates[name]
        ]
        return {
            "type": "rsa-2048" if self.fault == "type" else "ed25519",
            "latest_version": len(publics),
            "keys": {str(number): {"public_key": public} for number, public in enumerate(publics, 1)},
        }

    def sign(self, name, body):
        version = body["key_version"]
        message = base64.b64decode(body["input"]) + (b"x" if self.fault == "other bytes" else b"")
        signature = base64.b64encode(self.privates[name][version - 1].sign(message)).decode()
        if self.fault == "version":
            version += 1
        return {"signature": "nonsense" if self.fault == "nonsense" else f"vault:v{version}:{signature}"}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def vault():
    made = Vault()
    yield made
    made.close()


@pytest.fixture
def token(made, place):
    path = place / "transit.token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


def test_log_moves_its_key_into_vault(made, place, token, vault):
    found = keys.find_transit_key(place, ORIGIN, vault.url)
    keys.add(place, found)
    note = made.sign(head(150), tree(150).consistency(100))
    assert len(signers(note, place)) == 2
    keys.retire(place, keys.read(place)[0].key)
    vault.privates["log"].append(Ed25519PrivateKey.generate())
    assert signers(made.sign(head(200), tree(200).consistency(150)), place) == {found.key}
    assert not list(place.glob("*.seed"))


@pytest.mark.parametrize("fault", ["sealed", "no json", "version", "nonsense", "other bytes"])
def test_vault_that_gives_no_signature_moves_no_mark(made, place, token, vault, fault):
    keys.add(place, keys.find_transit_key(place, ORIGIN, vault.url))
    vault.fault = fault
    with pytest.raises(SignerUnavailableError):
        made.sign(head(150), tree(150).consistency(100))
    assert made.mark() == head(100)
    vault.fault = ""
    assert made.sign(head(150), tree(150).consistency(100))


def test_vault_that_is_away_is_said_so(made, place, token, vault):
    keys.add(place, keys.find_transit_key(place, ORIGIN, vault.url))
    vault.close()
    with pytest.raises(SignerUnavailableError, match="does not answer"):
        made.sign(head(150), tree(150).consistency(100))


URLS = [
    "http://vault.example/v1/transit/keys/log",
    "ftp://127.0.0.1/keys/log",
    "https://v/v1/transit/log",
    "https://v/keys/a/b",
]


@pytest.mark.parametrize("url", URLS)
def test_address_that_is_not_a_key_over_tls_is_refused(made, place, token, url):
    with pytest.raises(SignerUnavailableError, match="is not"):
        keys.find_transit_key(place, ORIGIN, url)


def test_unknown_key_wrong_type_and_wrong_token_are_refused(made, place, token, vault):
    with pytest.raises(SignerUnavailableError, match="answered 404"):
        keys.find_transit_key(place, ORIGIN, vault.url.replace("/log", "/other"))
    vault.fault = "type"
    with pytest.raises(SignerUnavailableError, match="not an Ed25519"):
        keys.find_transit_key(place, ORIGIN, vault.url)
    token.write_text("other")
    with pytest.raises(SignerUnavailableError, match="answered 403"):
        keys.find_transit_key(place, ORIGIN, vault.url)
    token.chmod(0o644)
    with pytest.raises(SignerRefusedError, match="others may read"):
        keys.find_transit_key(place, ORIGIN, vault.url)
