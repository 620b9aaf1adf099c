"""A copy that lost its credential finds the kept one again, and says what that proves."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from django.core.files.storage import storages
from django.utils import timezone

from generation import loaded
from generation.errors import NotFoundError, WithdrawnError
from likeness import rejoin
from likeness.cli import main as command
from likeness.cli import rejoin as verb
from likeness.rejoin import Binding
from tests.generation.test_selectors import make_job, make_media
from tests.watermark.conftest import limited, portrait_bgr
from watermark import c2pa
from watermark.errors import CredentialInvalidError, UnreadableError
from watermark.invisible import Embedder

pytestmark = pytest.mark.django_db
MARK = 0x9F3C6A1B22D0E417


@pytest.fixture
def made(home, people, tmp_path, monkeypatch):
    """An output that is signed, and the same picture without its credential."""
    monkeypatch.setattr("likeness.provenance_marks.BUDGET_S", 120.0)  # the machine of the tests may be busy
    monkeypatch.setattr("watermark.search._STAGES", ())  # no cuts and tilts here
    y = limited(cv2.cvtColor(portrait_bgr(540, 720), cv2.COLOR_BGR2GRAY))
    embedder = Embedder(loaded.carrier("demo"), MARK, height=540, width=720)
    embedder.servo([y])
    embedder.embed(y)
    plain, signed = tmp_path / "plain.png", tmp_path / "signed.png"
    cv2.imwrite(str(plain), y)
    statement = c2pa.ConsentStatement("con_1", "log", 41, "ab" * 32, "policy/1")
    manifest = c2pa.ManifestInput("output", MARK, statement, datetime.now(UTC))
    store = c2pa.sign(plain, signed, manifest, loaded.keyring().credential_chain().signer())
    put = storages["blobs"].put
    job = make_job(
        make_media("demo", sha256="1" * 64),
        state="done",
        admission_index=1,
        permit="p",
        consent_id="con_1",
        mark_id=f"{MARK:016x}",
        output_sha256=put(io.BytesIO(signed.read_bytes())),
        manifest_sha256=put(io.BytesIO(store)),
        finished=timezone.now(),
    )
    return SimpleNamespace(job=job, plain=plain, signed=signed, store=store, by=people["legal"].actor)


def kept(made, data):
    """Let this be the credential that was kept."""
    made.job.manifest_sha256 = storages["blobs"].put(io.BytesIO(data))
    made.job.save()


def test_a_picture_of_nobody_rejoins_nothing(made, tmp_path):
    path = tmp_path / "other.png"
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 255, (300, 400), dtype=np.uint8))
    with pytest.raises(NotFoundError):
        rejoin.rejoin(path, by=made.by)
    path.write_bytes(b"no picture")
    with pytest.raises(UnreadableError):
        rejoin.rejoin(path, by=made.by)


def test_another_tenant_rejoins_nothing(made, person):
    with pytest.raises(NotFoundError):
        rejoin.rejoin(made.plain, by=person("legal", tenant="other").actor)


def test_a_withdrawn_output_gives_no_credential(made):
    made.job.state = "withdrawn"
    made.job.save()
    with pytest.raises(WithdrawnError):
        rejoin.rejoin(made.plain, by=made.by)


def test_a_credential_that_does_not_hold_is_not_given(made, tmp_path):
    other = c2pa.make_chain("Other Bank", datetime.now(UTC))
    statement = c2pa.ConsentStatement("con_1", "log", 41, "ab" * 32, "policy/1")
    for mark, signer in ((MARK, other.signer()), (7, loaded.keyring().credential_chain().signer())):
        foreign = c2pa.ManifestInput("output", mark, statement, datetime.now(UTC))
        kept(made, c2pa.sign(made.plain, tmp_path / f"{mark}.png", foreign, signer))
        with pytest.raises(CredentialInvalidError):
            rejoin.rejoin(made.plain, by=made.by)
    kept(made, made.store[:-1000])
    with pytest.raises(CredentialInvalidError):
        rejoin.rejoin(made.plain, by=made.by)
    made.job.manifest_sha256 = "0" * 64
    made.job.save()
    with pytest.raises(NotFoundError):
        rejoin.rejoin(made.plain, by=made.by)


def test_a_stripped_copy_finds_its_credential(made):
    found = rejoin.rejoin(made.plain, by=made.by)
    assert (found.binding, found.trace.job, found.manifest) == (Binding.SOFT, str(made.job.id), made.store)
    assert found.as_json()["consent"] == "con_1"


def test_the_delivered_file_is_bound_by_its_hash(made):
    assert rejoin.rejoin(made.signed, by=made.by).binding is Binding.HARD


def test_the_command_says_what_the_credential_proves(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(verb, "open_platform", lambda: None)
    monkeypatch.setattr(verb, "actor", lambda *_: made.by)
    out = tmp_path / "copy.c2pa"
    assert command.main(["rejoin", str(made.plain), "--out", str(out)]) == 0
    assert out.read_bytes() == made.store
    assert "does not hold for it" in capsys.readouterr().out
