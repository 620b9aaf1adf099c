import dataclasses
import functools
import hashlib
import socket
import wave
from datetime import UTC, datetime, timedelta

import av
import c2pa as library
import cv2
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.watermark.conftest import portrait_bgr
from watermark import c2pa, credentials, manifests
from watermark.c2pa import C2paState, ClaimSigner, InputStatement
from watermark.errors import ContainerError, CredentialError, CredentialInvalidError
from watermark.inputs import read_input
from watermark.metadata import AigcState, SourceType, embed_label

KINDS = ["jpg", "png", "mp4", "mov", "wav"]
APART = ["mkv", "webm"]
MUXERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}


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
    for kind in ("mov", "mkv"):
        copied(folder / "a.mp4", folder / f"a.{kind}")
    with av.open(str(folder / "a.webm"), "w", format="webm") as out:
        stream = out.add_stream("libvpx-vp9", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        frame = np.concatenate([luma(240, 320), np.full((120, 320), 128, np.uint8)])
        out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="yuv420p")))
        out.mux(stream.encode())
    with wave.open(str(folder / "a.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(np.random.default_rng(1).integers(-99, 99, 16000, np.int16).tobytes())
    return lambda kind: folder / f"a.{kind}"


def copied(path, out):
    """A copy of the streams alone, as ``ffmpeg -c copy`` makes it."""
    with av.open(str(path)) as source, av.open(str(out), "w", format=MUXERS[out.suffix[1:]]) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return out


@pytest.fixture(scope="module")
def signed(tmp_path_factory, plain, manifest, chain):
    """signed(kind): a signed file and its manifest store."""
    folder = tmp_path_factory.mktemp("signed")
    signer = chain.signer()
    kinds = KINDS + APART
    stores = {kind: c2pa.sign(plain(kind), folder / f"s.{kind}", manifest, signer) for kind in kinds}
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
    data[2000 if kind == "wav" else -2000] ^= 1  # the credential of a sound is at its end
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


@pytest.mark.parametrize("kind", APART)
def test_kind_that_holds_no_credential_has_a_sidecar(signed, plain, chain, mark_id, kind):
    path, store = signed(kind)
    assert path.read_bytes() == plain(kind).read_bytes()
    assert c2pa.read(path, chain.root_pem).state is C2paState.ABSENT
    with pytest.raises(CredentialInvalidError):
        c2pa.check(path, chain.root_pem, mark_id=mark_id)
    found = c2pa.check(path, chain.root_pem, mark_id=mark_id, store=store)
    assert (found.state, found.failures, found.rejoins) == (C2paState.TRUSTED, (), False)


@pytest.mark.parametrize("kind", APART)
def test_sidecar_does_not_hold_for_a_changed_file(tmp_path, signed, chain, mark_id, kind):
    path, store = signed(kind)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    changed = tmp_path / f"changed.{kind}"
    changed.write_bytes(data)
    with pytest.raises(CredentialInvalidError):
        c2pa.check(changed, chain.root_pem, mark_id=mark_id, store=store)


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_remux_strips_and_the_kept_store_names_the_mark(tmp_path, signed, chain, mark_id, kind):
    path, store = signed("mp4")
    stripped = copied(path, tmp_path / f"stripped.{kind}")
    assert c2pa.read(stripped, chain.root_pem).state is C2paState.ABSENT
    kept = c2pa.read(stripped, chain.root_pem, store=store)
    assert (kept.state, kept.mark_id, kept.rejoins) == (C2paState.INVALID, mark_id, True)


def test_store_of_another_maker_does_not_rejoin(tmp_path, signed, plain, manifest):
    other = c2pa.make_chain("Other Bank", datetime.now(UTC))
    assert not c2pa.read(plain("mp4"), other.root_pem, store=signed("mp4")[1]).rejoins
    for store in (b"", b"no store", signed("mp4")[1][:-900]):
        assert not c2pa.read(plain("mp4"), other.root_pem, store=store).rejoins


def test_kept_store_is_read_beside_a_file_of_any_kind(tmp_path, signed, chain, mark_id):
    text = tmp_path / "a.txt"
    text.write_text("no picture")
    found = c2pa.read(text, chain.root_pem, store=signed("png")[1])
    assert (found.mark_id, found.rejoins) == (mark_id, True)


# ---- what the input said ------------------------------------------------------------------------


SAID = InputStatement(
    AigcState.PRESENT, '{"Label":"1"}', "Valid", "Camera Maker", "ab" * 32, "0123456789abcdef"
)


@pytest.mark.parametrize(
    "data", [None, [], "text", {"aigc_state": "maybe"}, {"aigc_state": []}, {"mark": {}}]
)
def test_statement_about_the_input_of_any_shape_is_survived(data):
    assert isinstance(manifests.input_of(data), InputStatement)


def test_what_the_input_said_is_kept_in_the_credential(tmp_path, plain, manifest, chain, mark_id):
    c2pa.sign(plain("png"), tmp_path / "a.png", dataclasses.replace(manifest, input=SAID), chain.signer())
    assert c2pa.check(tmp_path / "a.png", chain.root_pem, mark_id=mark_id).input == SAID
    c2pa.sign(plain("png"), tmp_path / "b.png", manifest, chain.signer())
    assert c2pa.read(tmp_path / "b.png", chain.root_pem).input.silent


@pytest.mark.parametrize("damaged", [False, True])
def test_credential_of_the_input_is_carried_on(tmp_path, signed, plain, manifest, mark_id, damaged):
    """The output is trusted by our root alone, whoever signed the input and whatever became of it since."""
    ours, footage = c2pa.make_chain("Bank", datetime.now(UTC)), tmp_path / "footage.mov"
    data = bytearray(signed("mov")[0].read_bytes())
    data[-2000] ^= damaged
    footage.write_bytes(data)
    assert c2pa.inheritable(footage)
    driving = c2pa.Ingredient(c2pa.Role.DRIVING, "footage", "11" * 32, footage)
    new = dataclasses.replace(manifest, ingredients=(driving,))
    store = c2pa.sign(plain("mp4"), tmp_path / "a.mp4", new, ours.signer())
    assert c2pa.check(tmp_path / "a.mp4", ours.root_pem, mark_id=mark_id).failures == ()
    assert store.count(b"urn:c2pa:") > signed("mp4")[1].count(b"urn:c2pa:")
    assert len(store) < 20_000 + len(signed("mov")[1])


def test_credential_with_a_picture_or_too_large_is_not_carried_on(tmp_path, plain, signed, monkeypatch):
    assert not c2pa.inheritable(plain("png"))
    assert not c2pa.inheritable(signed("mkv")[0])
    assert not c2pa.inheritable(tmp_path / "none.png")
    for store in (b"", b"..\xff\xd8\xff..", b"c2pa.thumbnail.claim", bytes(c2pa.INHERITED_MAX + 1)):
        monkeypatch.setattr(c2pa.places, "manifest_store", lambda _, store=store: store)
        assert not c2pa.inheritable(plain("png"))


def test_input_is_read_whatever_it_is(tmp_path, signed, plain, chain, carrier, aigc):
    read = functools.partial(read_input, carriers=[carrier], anchors_pem=chain.root_pem)
    text = tmp_path / "a.txt"
    text.write_text("no picture")
    assert read(text).silent
    assert read(plain("png")).silent
    found = read(signed("png")[0])
    assert (found.credential, found.signer) == ("Trusted", "Likeness Claim Signer")
    assert found.manifest_sha256 == hashlib.sha256(signed("png")[1]).hexdigest()
    labelled = tmp_path / "labelled.png"
    labelled.write_bytes(embed_label(plain("png").read_bytes(), aigc))
    assert (read(labelled).aigc_state, read(labelled).aigc) == (AigcState.PRESENT, aigc.to_json())
    long = dataclasses.replace(aigc, reserved_code2="x" * 3000)
    labelled.write_bytes(embed_label(plain("png").read_bytes(), long))
    assert (read(labelled).aigc_state, read(labelled).aigc) == (AigcState.PRESENT, "")


def test_older_mark_of_ours_in_the_input_is_noted(tmp_path, clip, marked, muxed, carrier, chain, mark_id):
    path = muxed(marked(clip(8, 360, 640)), tmp_path / "clip.mp4")
    assert read_input(path, carriers=[carrier], anchors_pem=chain.root_pem).mark == f"{mark_id:016x}"
    assert read_input(path, carriers=[], anchors_pem="").mark == ""


# ---- the rest -----------------------------------------------------------------------------------


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
