import dataclasses
import socket
from datetime import UTC, datetime, timedelta

import av
import c2pa as library
import cv2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.watermark.conftest import portrait_bgr
from watermark import c2pa, credentials
from watermark.c2pa import C2paState, ClaimSigner
from watermark.errors import ContainerError, CredentialError, CredentialInvalidError
from watermark.metadata import SourceType

KINDS = ["jpg", "png", "mp4"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def plain(tmp_path_factory, luma, muxed):
    """plain(kind): an unsigned file."""
    folder = tmp_path_factory.mktemp("plain")
    for kind in KINDS[:2]:
        cv2.imwrite(str(folder / f"a.{kind}"), portrait_bgr(240, 320))
    muxed([luma(240, 320)] * 12, folder / "a.mp4")
    return lambda kind: folder / f"a.{kind}"


@pytest.fixture(scope="module")
def signed(tmp_path_factory, plain, manifest, chain):
    """signed(kind): a signed file and its manifest store."""
    folder = tmp_path_factory.mktemp("signed")
    stores = {kind: c2pa.sign(plain(kind), folder / f"s.{kind}", manifest, chain.signer()) for kind in KINDS}
    return lambda kind: (folder / f"s.{kind}", stores[kind])


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "not a key", "ed25519"])
def test_signing_key_of_another_kind_is_refused(key):
    if key == "ed25519":
        private = ed25519.Ed25519PrivateKey.generate()
        key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(CredentialError):
        credentials.local_signature(key)


@pytest.mark.parametrize(("organisation", "country"), [("", "CN"), ("Bank", "China"), ("B" * 70, "CN")])
def test_names_that_no_certificate_takes_are_refused(organisation, country):
    with pytest.raises(CredentialError):
        c2pa.make_chain(organisation, datetime.now(UTC), country=country)


@pytest.mark.parametrize(
    "signer",
    [
        lambda chain: ClaimSigner("", chain.signer().sign),
        lambda chain: ClaimSigner("no certificate", chain.signer().sign),
        lambda chain: ClaimSigner(chain.chain_pem, lambda _: b""),
        lambda chain: ClaimSigner(chain.chain_pem, lambda _: 1 / 0),
    ],
    ids=["no chain", "not a chain", "empty signature", "key store fails"],
)
def test_failed_signing_leaves_no_file(tmp_path, plain, manifest, chain, signer):
    out = tmp_path / "out.png"
    with pytest.raises(CredentialError):
        c2pa.sign(plain("png"), out, manifest, signer(chain))
    assert not out.exists()


def test_file_of_another_kind_is_not_signed(tmp_path, manifest, chain):
    text = tmp_path / "a.txt"
    text.write_text("no picture")
    with pytest.raises(ContainerError):
        c2pa.sign(text, tmp_path / "b.txt", manifest, chain.signer())


def test_file_is_not_signed_onto_itself(plain, manifest, chain):
    with pytest.raises(CredentialError):
        c2pa.sign(plain("png"), plain("png"), manifest, chain.signer())


@pytest.mark.parametrize("kind", KINDS)
def test_changed_octet_is_invalid(tmp_path, signed, chain, mark_id, kind):
    data = bytearray(signed(kind)[0].read_bytes())
    data[-2000] ^= 1
    path = tmp_path / f"changed.{kind}"
    path.write_bytes(data)
    found = c2pa.read(path, chain.root_pem)
    assert found.state is C2paState.INVALID
    assert any(code.endswith("Hash.mismatch") for code in found.failures)
    with pytest.raises(CredentialInvalidError):
        c2pa.check(path, chain.root_pem, mark_id=mark_id)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off_file_is_not_trusted(tmp_path, signed, chain, kind):
    data = signed(kind)[0].read_bytes()
    for share in (0.05, 0.5, 0.9):
        path = tmp_path / f"cut.{kind}"
        path.write_bytes(data[: int(len(data) * share)])
        assert c2pa.read(path, chain.root_pem).state in {C2paState.INVALID, C2paState.ABSENT}


def test_remote_manifest_is_not_fetched(tmp_path, plain, chain):
    """The sockets are blocked here; the file names a manifest elsewhere and has none inside."""
    path, signer = tmp_path / "remote.jpg", chain.signer()
    claim = {"claim_generator_info": [{"name": "x", "version": "1"}], "title": "t", "assertions": []}
    context = library.Context.from_dict({"verify": {"verify_after_sign": False}})
    with library.Builder(claim, context=context) as builder:
        builder.set_no_embed()
        builder.set_remote_url("http://127.0.0.1:9/m.c2pa")
        key = library.Signer.from_callback(signer.sign, library.C2paSigningAlg.ES256, signer.chain_pem)
        with key, plain("jpg").open("rb") as source, path.open("w+b") as target:
            builder.sign(key, "image/jpeg", source, target)
    found = c2pa.read(path, chain.root_pem)
    assert (found.state, found.failures) == (C2paState.ABSENT, ("remote manifest not fetched",))


def test_credential_of_another_mark_fails(signed, chain):
    with pytest.raises(CredentialInvalidError, match="another mark"):
        c2pa.check(signed("png")[0], chain.root_pem, mark_id=1)


def test_soft_binding_of_any_shape_is_survived():
    ours = {"alg": c2pa.SOFT_BINDING}
    for binding in (None, [], {}, "text", ours, {**ours, "blocks": [{"value": "xyz"}]}):
        report = {
            "active_manifest": "m",
            "manifests": {"m": {"assertions": [{"label": "c2pa.soft-binding", "data": binding}]}},
        }
        assert c2pa._understood(report).mark_id is None


# ---- what must work -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_signed_file_reads_back_trusted_and_complete(signed, chain, manifest, mark_id, kind):
    found = c2pa.check(signed(kind)[0], chain.root_pem, mark_id=mark_id)
    assert (found.state, found.failures) == (C2paState.TRUSTED, ())
    assert found.statement == manifest.statement
    assert found.source == SourceType.COMPOSITE
    assert found.signer == "Likeness Claim Signer"


@pytest.mark.parametrize("kind", KINDS)
def test_other_roots_do_not_trust(signed, kind):
    other = c2pa.make_chain("Other Bank", datetime.now(UTC))
    for anchors in ("", other.root_pem):
        found = c2pa.read(signed(kind)[0], anchors)
        assert (found.state, found.failures) == (C2paState.VALID, ("signingCredential.untrusted",))


def test_expired_leaf_is_not_trusted(tmp_path, plain, manifest):
    old = c2pa.make_chain("Old Bank", datetime.now(UTC) - timedelta(days=400))
    out = tmp_path / "old.png"
    with pytest.raises(CredentialError):
        c2pa.sign(plain("png"), out, manifest, old.signer())


@pytest.mark.parametrize("kind", KINDS)
def test_manifest_store_comes_out_of_the_file(signed, kind):
    path, store = signed(kind)
    assert c2pa.extract_manifest(path) == store
    assert path.stat().st_size < 400_000
    assert len(store) < 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_unsigned_file_has_no_credential(plain, chain, kind):
    assert c2pa.read(plain(kind), chain.root_pem).state is C2paState.ABSENT
    with pytest.raises(CredentialError):
        c2pa.extract_manifest(plain(kind))


def test_remux_strips_and_the_kept_store_names_the_mark(tmp_path, signed, chain, mark_id):
    path, store = signed("mp4")
    stripped = tmp_path / "stripped.mp4"
    with av.open(str(path)) as source, av.open(str(stripped), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert c2pa.read(stripped, chain.root_pem).state is C2paState.ABSENT
    kept = c2pa.read(stripped, chain.root_pem, store=store)
    assert kept.mark_id == mark_id
    assert kept.state is C2paState.INVALID


def test_no_picture_of_an_ingredient_is_inside(signed):
    for kind in KINDS:
        store = signed(kind)[1]
        assert b"\xff\xd8\xff" not in store
        assert b"\x89PNG" not in store
        assert b"thumbnail" not in store


def test_statement_without_ingredients_is_signed_too(tmp_path, plain, manifest, chain, mark_id):
    bare = dataclasses.replace(manifest, ingredients=(), source=SourceType.GENERATED)
    c2pa.sign(plain("jpg"), tmp_path / "a.jpg", bare, chain.signer())
    assert c2pa.check(tmp_path / "a.jpg", chain.root_pem, mark_id=mark_id).source == SourceType.GENERATED


def test_private_keys_do_not_show_in_the_repr(chain):
    assert "PRIVATE" not in repr(chain)


def test_chain_has_the_profile_that_readers_ask_for(chain):
    root, issuing, leaf = (
        x509.load_pem_x509_certificate(pem.encode())
        for pem in (chain.root_pem, chain.issuing_pem, chain.leaf_pem)
    )
    issuing.verify_directly_issued_by(root)
    leaf.verify_directly_issued_by(issuing)
    assert issuing.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
