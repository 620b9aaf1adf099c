"""The offline verifier: one file made of parts, and timestamps checked against those of openssl."""

from __future__ import annotations

import ast
import hashlib
import random
import shutil
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from audit import bundle, checkpoint, merkle, verify
from audit.verifier import der, tokens
from audit.verifier.der import UncheckedError
from audit.verifier.notes import RefusedError
from tests.audit.test_bundle import KEY, Log
from tests.audit.test_timestamps import P_256, found_authority, openssl, reply, timestamps_query

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
KINDS = {
    "p256": P_256,
    "p384": ("ec", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "rsa": ("rsa:2048",),
}
NO_PURPOSE = "keyUsage=critical,digitalSignature\n"


# ---- one file


def test_parts_make_one_file_that_needs_nothing_but_python(tmp_path):
    source = bundle.verifier()
    assert "audit" not in {name.split(".")[0] for name in _imported(source)}
    assert set(_imported(source)) <= sys.stdlib_module_names
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    names += [
        target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert len(names) == len(set(names)), "a name of one part hides that of another"
    (tmp_path / "verify.py").write_text(source)
    told = subprocess.run(
        [sys.executable, "-S", "-I", tmp_path / "verify.py", "--help"], capture_output=True, text=True
    )
    assert told.returncode == 0
    assert "--tsa-roots" in told.stdout


def _imported(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


# ---- DER and signatures

BAD_DER = ["", "30", "3005", "300102", "3080000000", "30810101", "3082000101", "1f0100", "30840000000100"]


@pytest.mark.parametrize("text", BAD_DER)
def test_malformed_encoding_is_refused(text):
    with pytest.raises(RefusedError):
        der.whole(bytes.fromhex(text)).parts()


def spki(key):
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return der.whole(key.public_key().public_bytes(*form))


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: curve.name)
@pytest.mark.parametrize("hashed", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda h: h.name)
def test_ecdsa_is_checked_as_others_do(curve, hashed):
    key, message = ec.generate_private_key(curve), b"a checkpoint"
    signature = key.sign(message, ec.ECDSA(hashed))
    algorithm = {name: oid for oid, name in der.SIGNED_BY_ECDSA.items()}[hashed.name]
    assert der.is_signed_by(spki(key), algorithm, "", message, signature)
    assert not der.is_signed_by(spki(key), algorithm, "", message + b"x", signature)
    other = ec.generate_private_key(curve)
    assert not der.is_signed_by(spki(other), algorithm, "", message, signature)


@pytest.mark.parametrize("hashed", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda h: h.name)
def test_rsa_is_checked_as_others_do(hashed):
    key, message = rsa.generate_private_key(65537, 2048), b"a checkpoint"
    signature = key.sign(message, padding.PKCS1v15(), hashed)
    assert der.is_signed_by(spki(key), der.RSA, hashed.name, message, signature)
    assert not der.is_signed_by(spki(key), der.RSA, hashed.name, message + b"x", signature)
    assert not der.is_signed_by(spki(key), der.RSA, hashed.name, message, b"\x00" + signature)
    pss = key.sign(message, padding.PSS(padding.MGF1(hashed), 32), hashed)
    assert not der.is_signed_by(spki(key), der.RSA, hashed.name, message, pss)


def test_short_rsa_key_and_unknown_ways_to_sign_are_not_taken():
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505  what is tested is that it is refused
    signature = short.sign(b"x", padding.PKCS1v15(), hashes.SHA256())
    assert not der.is_signed_by(spki(short), der.RSA, "sha256", b"x", signature)
    for key, algorithm in (
        (short, "1.2.840.113549.1.1.10"),
        (ec.generate_private_key(ec.SECP521R1()), "1.2.840.10045.4.3.2"),
        (ec.generate_private_key(ec.SECP256R1()), "1.2.840.113549.1.1.11"),
    ):
        with pytest.raises(UncheckedError):
            der.is_signed_by(spki(key), algorithm, "", b"x", signature)


# ---- timestamps in a bundle


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    """Authorities by the kind of their keys, and one whose certificate is for something else."""
    place = tmp_path_factory.mktemp("authorities")
    made = {name: found_authority(place / name, key=key) for name, key in KINDS.items()}
    return made | {"other": found_authority(place / "other")}


@pytest.fixture(scope="module")
def log():
    return Log(
        *({"type": "generation.queued", "ts": "2026-01-01T00:00:00Z", "job": f"j{n}"} for n in range(7))
    )


def stamped(log, folder, size):
    """What a bundle holds of a stamp on the head of a size."""
    note = log.head(size)
    lines = "".join(
        checkpoint.encode(item) + "\n" for item in merkle.consistency(size, len(log.bodies), log.node)
    )
    token = reply(folder, timestamps_query(note.encode()))
    files = {f"tokens/{size}.tsr": token, f"tokens/{size}.checkpoint": note.encode()}
    if size < len(log.bodies):
        files[f"tokens/{size}.consistency.txt"] = f"old {size}\n{lines}\n{log.head()}".encode()
    return files


def check(log, files, folder, place, **more):
    path = log.bundle(place / "b.zip", extra=files)
    roots = (folder / "root.pem").read_text() if folder else ""
    return verify.verify(path, vkey=str(KEY), tsa_roots=roots, **more)


def codes(report, which):
    return [item["code"] for item in report[which]]


@needs_openssl
@pytest.mark.parametrize("size", [4, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_timestamp_under_the_given_root_is_proven(log, authorities, tmp_path, kind, size):
    report = check(log, stamped(log, authorities[kind], size), authorities[kind], tmp_path)
    assert (report["result"], report["error"]) == ("verified", "")
    (found,) = [item for item in report["proven"] if item["code"] == "stamped"]
    (token,) = report["tokens"]
    assert (found["size"], found["count"], found["by"]) == (size, size, "Test TSA")
    assert token["policy"] == "1.2.3.4.1"
    text = openssl("ts", "-reply", "-text", "-in", _written(log, authorities[kind], size, tmp_path)).stdout
    assert found["time"][:4] in text.decode()
    assert "time" not in codes(report, "not_proven")
    assert "Test TSA signed that the tree" in verify.describe(report)


def _written(log, folder, size, place):
    (place / "token.tsr").write_bytes(stamped(log, folder, size)[f"tokens/{size}.tsr"])
    return place / "token.tsr"


@needs_openssl
def test_without_a_root_it_is_said_whose_word_is_not_known(log, authorities, tmp_path):
    report = check(log, stamped(log, authorities["p256"], 4), None, tmp_path)
    assert report["result"] == "verified"
    assert "stamped" not in codes(report, "proven")
    assert "stamp_root" in codes(report, "not_proven")


@needs_openssl
def test_bundle_without_a_timestamp_says_so(log, authorities, tmp_path):
    report = check(log, {}, authorities["p256"], tmp_path)
    assert (report["result"], "time" in codes(report, "not_proven")) == ("verified", True)


def swap(old, new):
    return lambda data: data.replace(old, new, 1)


@needs_openssl
def test_what_does_not_hold_is_refused(log, authorities, tmp_path, subtests):
    ours, theirs = authorities["p256"], authorities["other"]
    good = stamped(log, ours, 4)
    token, note, proof = (good[f"tokens/4.{end}"] for end in ("tsr", "checkpoint", "consistency.txt"))
    hashed = hashlib.sha256(note).digest()
    cases = {
        "another root": (stamped(log, theirs, 4), "do not lead to the root"),
        "on other bytes": (good | {"tokens/4.tsr": stamped(log, ours, 5)["tokens/5.tsr"]}, "other bytes"),
        "imprint edited": (good | {"tokens/4.tsr": token.replace(hashed, bytes(32))}, "other content"),
        "signature edited": (
            good | {"tokens/4.tsr": token[:-5] + bytes([token[-5] ^ 1]) + token[-4:]},
            "wrong",
        ),
        "cut": (good | {"tokens/4.tsr": token[:-1]}, "malformed"),
        "followed by more": (good | {"tokens/4.tsr": token + b"x"}, "malformed"),
        "empty": (good | {"tokens/4.tsr": b""}, "malformed"),
        "rejected": (good | {"tokens/4.tsr": reply(ours, b"no query")}, "no token"),
        "another log's head": (good | {"tokens/4.checkpoint": b"x"}, "malformed"),
        "head missing": ({"tokens/4.tsr": token}, "malformed"),
        "no proof": ({"tokens/4.tsr": token, "tokens/4.checkpoint": note}, "no consistency proof"),
        "another proof": (
            good | {"tokens/4.consistency.txt": proof.replace(b"old 4", b"old 5")},
            "no consis",
        ),
        "another size": (
            {name.replace("/4.", "/5."): data for name, data in good.items()},
            "not one of this",
        ),
        "another name": (good | {"tokens/token.txt": b"x"}, "no timestamp"),
    }
    for name, (files, said) in cases.items():
        with subtests.test(name):
            report = check(log, files, ours, tmp_path)
            failed = [item for item in report["tokens"] if not item["ok"]]
            assert report["result"] == "refused"
            assert said in failed[0]["error"]
            assert ("stamped" in codes(report, "proven")) == (name == "another name")


@needs_openssl
def test_certificate_that_is_not_for_timestamps_is_refused(log, authorities):
    token = tokens.token(stamped(log, authorities["p256"], 4)["tokens/4.tsr"])
    roots = tokens.certificates((authorities["p256"] / "root.pem").read_text())
    tokens.trust(token, roots)
    plain = token.signer._replace(extensions={})
    with pytest.raises(RefusedError, match="not one for timestamps"):
        tokens.trust(token._replace(signer=plain), roots)
    late = token._replace(time="20990101000000")
    with pytest.raises(RefusedError, match="not valid at"):
        tokens.trust(late, roots)
    strange = token.signer._replace(extensions={**token.signer.extensions, "1.2.3": (True, b"")})
    with pytest.raises(UncheckedError):
        tokens.trust(token._replace(signer=strange), roots)
    weak = [root._replace(extensions={}) for root in roots]
    with pytest.raises(RefusedError, match="do not lead"):
        tokens.trust(token, weak)


@needs_openssl
def test_chain_through_another_certificate_is_followed(log, tmp_path):
    folder = found_authority(tmp_path / "chain")
    new = ("req", "-newkey", *P_256, "-nodes")
    (folder / "ca").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    openssl(*new, "-subj", "/CN=Middle", "-keyout", folder / "m.key", "-out", folder / "m.csr")
    sign = ("x509", "-req", "-CAcreateserial", "-days", "9")
    under = ("-CA", folder / "root.pem", "-CAkey", folder / "root.key")
    openssl(*sign, *under, "-in", folder / "m.csr", "-extfile", folder / "ca", "-out", folder / "m.pem")
    under = ("-CA", folder / "m.pem", "-CAkey", folder / "m.key")
    given = ("-in", folder / "tsa.csr", "-extfile", folder / "extensions", "-out", folder / "tsa.pem")
    openssl(*sign, *under, *given)
    files = stamped(log, folder, 4)
    assert check(log, files, folder, tmp_path)["result"] == "refused", "the middle one is not there"
    both = (folder / "root.pem").read_text() + (folder / "m.pem").read_text()
    (folder / "root.pem").write_text(both)
    assert "stamped" in codes(check(log, files, folder, tmp_path), "proven")


@needs_openssl
@pytest.mark.parametrize(
    "roots", ["no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_roots_that_are_no_certificates_are_refused(log, authorities, tmp_path, roots):
    path = log.bundle(tmp_path / "b.zip", extra=stamped(log, authorities["p256"], 4))
    report = verify.verify(path, vkey=str(KEY), tsa_roots=roots)
    assert report["result"] == "refused"
    assert "certificates" in report["error"] or "encoding" in report["error"]


@needs_openssl
def test_damaged_token_never_breaks_the_check_or_says_anything_else(log, authorities):
    data = stamped(log, authorities["rsa"], 4)["tokens/4.tsr"]
    whole = tokens.token(data)
    chance = random.Random(7)  # noqa: S311  the same damage in every run
    for _ in range(300):
        at = chance.randrange(len(data))
        bent = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        if bent == data:
            continue
        try:
            found = tokens.token(bent)
        except (RefusedError, UncheckedError):
            continue
        assert found._replace(certificates=[]) == whole._replace(certificates=[]), "it is signed"
