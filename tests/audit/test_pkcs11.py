"""Keys in a security module: SoftHSM, a module in software, where it is installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit import checkpoint, keys, merkle, pkcs11
from audit.checkpoint import Checkpoint, Note
from audit.errors import SignerRefusedError, SignerUnavailableError
from audit.pkcs11 import Place, Session
from audit.signer import FileSigner
from audit.tiles import TileTree

ORIGIN, SEED, PIN = "likeness.example/audit", bytes(range(32)), "739158"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE = next((path for path in MODULES if Path(path).exists()), "")
needs_softhsm = pytest.mark.skipif(
    not MODULE or shutil.which("softhsm2-util") is None or importlib.util.find_spec("pkcs11") is None,
    reason="SoftHSM 2 or python-pkcs11 is not installed",
)
LEAVES = [merkle.leaf_hash(b"%d" % i) for i in range(200)]
MAKE_KEYS = """
import sys
from pkcs11 import Attribute, KeyType, Mechanism, lib
with lib(sys.argv[1]).get_token(token_label="bank one").open(user_pin=sys.argv[2], rw=True) as session:
    given = {Attribute.EC_PARAMS: bytes.fromhex("06032b6570")}
    curve = session.create_domain_parameters(KeyType.EC_EDWARDS, given, local=True)
    for label, number in (("log", 1), ("twin", 2), ("twin", 3)):
        how = {"mechanism": Mechanism.EC_EDWARDS_KEY_PAIR_GEN, "store": True}
        curve.generate_keypair(label=label, id=bytes([number]), **how)
    session.generate_keypair(KeyType.RSA, 1024, store=True, label="rsa")
"""


def tree(size):
    return TileTree(size, lambda _, n, width: b"".join(LEAVES[n * 256 : n * 256 + width]))


def head(size):
    return Checkpoint(ORIGIN, size, tree(size).root())


@pytest.fixture(scope="session")
def token(tmp_path_factory):
    """A folder with one token that holds the keys of the tests."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    given = {**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
    labels = ("--label", "bank one", "--pin", PIN, "--so-pin", "5678")
    for command in (
        ("softhsm2-util", "--init-token", "--free", *labels),
        (sys.executable, "-I", "-c", MAKE_KEYS, MODULE, PIN),
    ):
        subprocess.run(command, check=True, capture_output=True, env=given, timeout=60)
    return folder


@pytest.fixture
def tokens(token, tmp_path, monkeypatch):
    """A copy of that folder, which the library of this test's processes uses."""
    copy = shutil.copytree(token / "tokens", tmp_path / "tokens")
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {copy}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    yield copy
    pkcs11.close()


@pytest.fixture
def place(tmp_path):
    """A signer's home with the right PIN in it."""
    place = tmp_path / "signer"
    place.mkdir(mode=0o700)
    write_pin(place, PIN)
    return place


def write_pin(place, pin):
    (place / keys.PIN_FILE).unlink(missing_ok=True)
    (place / keys.PIN_FILE).touch(mode=0o600)
    (place / keys.PIN_FILE).write_text(f"{pin}\n")


def uri(name="log", *, label="bank one", module=MODULE, key_id=""):
    return str(Place(module, label, name, key_id))


URIS = [
    "",
    "log",
    "pkcs12:token=a;object=b?module-path=/l.so",
    "pkcs11:token=a;object=b",
    "pkcs11:token=a;object=b?module-path=l.so",
    "pkcs11:token=a?module-path=/l.so",
    "pkcs11:object=b?module-path=/l.so",
    "pkcs11:token=;object=b?module-path=/l.so",
    "pkcs11:token=a;token=c;object=b?module-path=/l.so",
    "pkcs11:token=a;object=b;slot-id=1?module-path=/l.so",
    "pkcs11:token=a;object=b?module-path=/l.so&pin-value=1234",
    "pkcs11:token=a;object=b?pin-source=/etc/pin",
    "pkcs11:token=%ff;object=b?module-path=/l.so",
]


@pytest.mark.parametrize("text", URIS)
def test_address_that_is_no_key_of_a_module_is_refused(text):
    with pytest.raises(SignerUnavailableError):
        pkcs11.parse(text)


@pytest.mark.parametrize("place", [Place("/l.so", "a b;c", "中+?"), Place("/x y/l.so", "t", "o", "01ff")])
def test_address_holds_any_label_and_no_space(place):
    assert pkcs11.parse(str(place)) == place
    assert " " not in str(place)


@needs_softhsm
def test_log_moves_its_key_into_a_module(tokens, place):
    made = FileSigner(ORIGIN, seed=SEED, home=place)
    made.sign(head(100), ())
    old, new = made.key, keys.find_pkcs11_key(place, ORIGIN, uri())
    keys.add(place, new)
    note = made.sign(head(150), tree(150).consistency(100))
    for key in (old, new.key):
        assert checkpoint.open_checkpoint(note, key) == head(150)
    keys.retire(place, old)
    assert keys.read(place)[1].url == uri()
    note = made.sign(head(200), tree(200).consistency(150))
    assert Note.parse(note).signers([old, new.key]).keys() == {new.key}
    assert FileSigner(ORIGIN, seed=SEED, home=place).mark() == head(200)


@needs_softhsm
def test_one_process_signs_for_many_threads(tokens, place):
    signing = keys.signing(keys.find_pkcs11_key(place, ORIGIN, uri()), home=place, seed=SEED)
    signed = []
    threads = [
        threading.Thread(target=lambda: signed.extend(signing.sign(b"x") for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(signed) == 80
    assert len(set(signed)) == 1, "Ed25519 gives one signature"
    assert len(pkcs11._sessions) == 1


@needs_softhsm
def test_killed_process_is_started_again(tokens, place):
    signing = keys.signing(keys.find_pkcs11_key(place, ORIGIN, uri()), home=place, seed=SEED)
    first = signing.sign(b"x")
    [session] = pkcs11._sessions.values()
    session._process.kill()
    session._process.wait()
    assert signing.sign(b"x") == first


@needs_softhsm
def test_wrong_pin_is_tried_once_and_never_again(tokens, place):
    write_pin(place, "000000")
    with pytest.raises(SignerRefusedError, match="PinIncorrect"):
        keys.find_pkcs11_key(place, ORIGIN, uri())
    with pytest.raises(SignerRefusedError, match="before"):
        keys.find_pkcs11_key(place, ORIGIN, uri())
    write_pin(place, PIN)
    assert keys.find_pkcs11_key(place, ORIGIN, uri()).keeper == "pkcs11"
    assert not list(place.glob("*.refused"))


@needs_softhsm
@pytest.mark.parametrize("fault", ["missing", "others"])
def test_pin_that_is_missing_or_open_to_others_is_refused(tokens, place, fault):
    pin = place / keys.PIN_FILE
    pin.unlink() if fault == "missing" else pin.chmod(0o640)
    with pytest.raises(SignerRefusedError, match=r"pkcs11\.pin"):
        keys.find_pkcs11_key(place, ORIGIN, uri())


@needs_softhsm
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"label": "other"}, "NoSuchToken"),
        ({"name": "other"}, "no such pair"),
        ({"name": "rsa"}, "not an Ed25519"),
        ({"name": "twin"}, "MultipleObjects"),
        ({"key_id": "07"}, "no such pair"),
        ({"module": "/nowhere/module.so"}, "cannot open"),
    ],
    ids=lambda value: str(value),
)
def test_what_is_no_single_ed25519_key_of_a_token_is_refused(tokens, place, given, said):
    with pytest.raises(SignerUnavailableError, match=said):
        keys.find_pkcs11_key(place, ORIGIN, uri(**given))


@needs_softhsm
def test_of_two_keys_of_one_name_the_id_decides(tokens, place):
    found = {keys.find_pkcs11_key(place, ORIGIN, uri("twin", key_id=number)).key for number in ("02", "03")}
    assert len(found) == 2


@needs_softhsm
def test_token_that_is_taken_away_moves_no_mark_and_may_come_back(tokens, place):
    made = FileSigner(ORIGIN, seed=SEED, home=place)
    made.sign(head(100), ())
    keys.add(place, keys.find_pkcs11_key(place, ORIGIN, uri()))
    keys.retire(place, made.key)
    made.sign(head(150), tree(150).consistency(100))
    away = tokens.rename(tokens.with_name("away"))
    pkcs11.close()
    with pytest.raises(SignerUnavailableError):
        made.sign(head(200), tree(200).consistency(150))
    assert made.mark() == head(150)
    away.rename(tokens)
    assert made.sign(head(200), tree(200).consistency(150))


@needs_softhsm
def test_another_key_in_its_place_is_no_signature_of_this_one(tokens, place):
    other = keys.find_pkcs11_key(place, ORIGIN, uri("twin", key_id="02"))
    signing = pkcs11.Pkcs11Signing(uri(), public=other.key.public, pin=place / keys.PIN_FILE)
    with pytest.raises(SignerUnavailableError, match="no signature of this key"):
        signing.sign(b"x")


CHILDREN = {
    "silent": "import time; time.sleep(60)",
    "gone": "raise SystemExit(1)",
    "nonsense": "print('{', flush=True); input()",
    "no signature": "print('{\"public\": \"00\"}', flush=True); input(); input(); print('{}', flush=True)",
    "a list": "print('[]', flush=True); input()",
}


@pytest.mark.parametrize("name", CHILDREN)
def test_process_that_gives_no_answer_is_killed_and_once_started_anew(place, tmp_path, monkeypatch, name):
    log, child = tmp_path / "starts", tmp_path / "child.py"
    child.write_text(f"open({str(log)!r}, 'a').write('x')\n{CHILDREN[name]}\n")
    start_s = 0.5 if name == "silent" else 30.0  # the others answer, however busy the machine is
    for attribute, value in (("CHILD", child), ("START_S", start_s), ("TIMEOUT_S", 0.5)):
        monkeypatch.setattr(pkcs11, attribute, value)
    session = Session(Place("/l.so", "t", "o"), pin=place / keys.PIN_FILE)
    monkeypatch.setattr(pkcs11, "_session", lambda *_: session)
    with pytest.raises(SignerUnavailableError):
        pkcs11.Pkcs11Signing("pkcs11:", public=bytes(32), pin=place / keys.PIN_FILE).sign(b"x")
    session.close()
    assert log.read_text() == ("x" if name == "no signature" else "xx")


def test_missing_library_is_said_so(place, tmp_path, monkeypatch):
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o700)
    monkeypatch.setattr(pkcs11.sys, "executable", str(bare))
    with pytest.raises(SignerUnavailableError, match="python-pkcs11 is not installed"):
        keys.find_pkcs11_key(place, ORIGIN, uri(module="/l.so"))
