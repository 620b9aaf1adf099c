"""One detector behind every answer: marked pictures, what people do to them, and what others may learn."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from django.core.files.storage import storages
from django.utils import timezone
from skimage import data

from generation import loaded, prints
from generation.marking import _packed
from generation.models import Job
from likeness import provenance
from tests.generation.test_selectors import make_job, make_media
from tests.watermark import attacks, sound_attacks
from tests.watermark.conftest import limited
from tests.watermark.voice import speech
from watermark.content import thumbnail
from watermark.errors import UnreadableError
from watermark.invisible import Embedder
from watermark.metadata import AigcLabel, embed_label
from watermark.reading import residual
from watermark.sound import RATE_HZ, SoundCarrier, SoundGauge, SoundMarker

pytestmark = pytest.mark.django_db
MARK = 0x9F3C6A1B22D0E417


@pytest.fixture
def astronaut():
    grey = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
    return limited(np.pad(grey, ((0, 28), (220, 228)), "symmetric"))


@pytest.fixture
def studio(home, people, person, tmp_path, monkeypatch):
    """Makes outputs: a job that is done, its record, and the marked picture."""
    count = iter(range(1, 100))

    def deliver(picture, *, tenant="demo", mark_id=MARK):
        y = picture.copy()
        embedder = Embedder(loaded.carrier(tenant), mark_id, height=y.shape[0], width=y.shape[1])
        embedder.servo([y])
        embedder.embed(y)
        track = _packed([(0.0, thumbnail(y))])
        encoded = cv2.imencode(".png", y)[1].tobytes()
        number = next(count)
        job = make_job(
            make_media(tenant, sha256=f"{number:064x}"),
            state="done",
            admission_index=number,
            permit="p",
            consent_id="con_1",
            mark_id=f"{mark_id:016x}",
            output_sha256=storages["blobs"].put(io.BytesIO(encoded)),
            content_sha256=storages["blobs"].put(io.BytesIO(track)),
            finished=timezone.now(),
        )
        prints.keep(job, track)
        return SimpleNamespace(job=job, y=y, encoded=encoded)

    monkeypatch.setattr("likeness.provenance_marks.BUDGET_S", 120.0)  # the machine of the tests may be busy

    def trace(picture, *, by=None, name="asked.png"):
        path = tmp_path / name
        path.write_bytes(
            picture if isinstance(picture, bytes) else cv2.imencode(".png", picture)[1].tobytes()
        )
        return provenance.trace(path, by=by or people["legal"].actor)

    stranger = person("legal", tenant="other").actor
    return SimpleNamespace(deliver=deliver, trace=trace, stranger=stranger)


@pytest.fixture
def upright(monkeypatch):
    """Spare the search for cuts and tilts, which these pictures have not."""
    monkeypatch.setattr("watermark.search._STAGES", ())


def states(found):
    return {layer.name: layer.state for layer in found.layers}


# ---- what ours is ----


def test_the_delivered_bytes_are_ours(studio, astronaut):
    made = studio.deliver(astronaut)
    found = studio.trace(made.encoded)
    assert (found.verdict, found.match, found.exact) == ("ours", "present", True)
    assert found.job == str(made.job.id)
    told = json.loads(json.dumps(found.as_json()))
    assert [layer["name"] for layer in told["layers"]][:4] == ["sha256", "c2pa", "aigc", "invisible"]
    assert all(layer["seconds"] >= 0 for layer in told["layers"])
    assert told["layers"][3]["bound"] < 1e-9
    assert told["layers"][3]["statistic"] > 10


@pytest.mark.parametrize(
    "attack",
    {
        "jpeg": lambda y: attacks.jpeg(y, 50),
        "crop": lambda y: attacks.cropped(y, 0.6),
        "mirror": attacks.mirrored,
        "turn": lambda y: np.ascontiguousarray(np.rot90(y)),
    }.items(),
    ids=lambda item: item[0],
)
def test_an_altered_copy_is_ours_and_shows_the_same_picture(studio, astronaut, attack):
    made = studio.deliver(astronaut)
    found = studio.trace(attack[1](made.y))
    assert (found.verdict, found.match, found.job) == ("ours-altered", "present", str(made.job.id))
    assert found.content.state == "agrees"
    assert found.similarity > 0.85
    assert found.reasons == ()


def test_a_mark_pasted_onto_another_picture_is_a_conflict(studio, astronaut):
    made = studio.deliver(astronaut)
    other = np.ascontiguousarray(cv2.GaussianBlur(astronaut[::-1], (0, 0), 3))
    found = studio.trace(attacks.pasted(other, residual(made.y) - residual(astronaut), 2.0))
    assert states(found)["invisible"] == "present"
    assert (found.verdict, found.match) == ("conflict", "conflict")
    assert found.similarity < 0.7
    assert "the mark was copied" in found.reason


def test_a_mark_without_a_record_is_a_conflict(studio, astronaut):
    made = studio.deliver(astronaut)
    altered = attacks.jpeg(made.y, 90)
    Job.objects.filter(pk=made.job.pk).delete()
    found = studio.trace(altered)
    assert (found.verdict, found.job, found.match) == ("conflict", "", "conflict")


def test_without_the_recorded_pictures_a_copied_mark_is_not_ruled_out(studio, astronaut):
    made = studio.deliver(astronaut)
    Job.objects.filter(pk=made.job.pk).update(content_sha256="")
    found = studio.trace(attacks.jpeg(made.y, 90))
    assert (found.verdict, found.content.state) == ("ours-altered", "not-compared")
    assert "not ruled out" in found.reason


def test_a_label_that_anybody_can_write_proves_nothing(studio, upright, astronaut, settings):
    made = studio.deliver(astronaut)
    label = AigcLabel.of_output(
        credit_code=settings.LIKENESS_CREDIT_CODE,
        application="LKNS",
        produce_id=made.job.id.hex,
        reference="x",
    )
    unmarked = embed_label(cv2.imencode(".png", astronaut[::-1])[1].tobytes(), label)
    assert studio.trace(unmarked).verdict == "conflict"


@pytest.fixture
def recording(tmp_path):
    """Marked speech as the bytes of a WAV file."""

    def make(tenant="demo"):
        sound = speech(6)
        gauge = SoundGauge(rate_hz=RATE_HZ, channels=1)
        gauge.feed(sound[:, None])
        carrier = SoundCarrier(loaded.carrier(tenant).keys)
        marker = SoundMarker(carrier, MARK, rate_hz=RATE_HZ, channels=1, strength=gauge.plan().strength)
        marked = np.concatenate([marker.feed(sound[:, None]), marker.flush()])[:, 0]
        path = tmp_path / "a.wav"
        return sound_attacks.write(marked, path, codec="pcm_s16le", bits=0, rate_hz=RATE_HZ).read_bytes()

    return make


def test_a_recording_of_the_sound_alone_is_ours(studio, astronaut, recording):
    made = studio.deliver(astronaut)
    found = studio.trace(recording(), name="asked.wav")
    assert (found.verdict, found.job) == ("ours-altered", str(made.job.id))
    assert (states(found)["invisible"], states(found)["sound"]) == ("not-run", "present")
    assert states(found)["perceptual"] == "not-run"
    assert found.reasons == ("content.uncompared",)


def test_a_recording_of_another_tenant_tells_nothing(studio, astronaut, recording):
    made = studio.deliver(astronaut, tenant="other")
    found = studio.trace(recording("other"), name="asked.wav")
    assert (found.verdict, states(found)["sound"], found.layers[4].statistic) == ("absent", "absent", None)
    assert str(made.job.id) not in json.dumps(found.as_json())
    assert studio.trace(recording("other"), by=studio.stranger, name="asked.wav").job == str(made.job.id)


# ---- clips ----


def moved(picture, count=10):
    big = cv2.copyMakeBorder(picture, 40, 40, 40, 40, cv2.BORDER_REFLECT)
    h, w = picture.shape
    return [
        np.ascontiguousarray(big[40 + at : 40 + at + h, 40 + 2 * at : 40 + 2 * at + w]) for at in range(count)
    ]


@pytest.fixture
def clip(studio, astronaut, tmp_path):
    """A clip of an output: the record of it, and its frames."""
    made = studio.deliver(astronaut)
    frames = moved(astronaut)
    embedder = Embedder(loaded.carrier("demo"), MARK, height=540, width=960)
    embedder.servo(frames[:2])
    for at, y in enumerate(frames):
        embedder.embed(y, at / 24)
    return SimpleNamespace(job=made.job, frames=frames, plain=moved(astronaut))


@pytest.mark.parametrize("count", [1, 10])
def test_a_clip_that_was_coded_again_is_ours(studio, clip, tmp_path, count):
    attacks.x264(clip.frames[:count], 23, tmp_path / "a.mp4")
    found = studio.trace((tmp_path / "a.mp4").read_bytes(), name="asked.mp4")
    assert (found.verdict, found.job, found.content.state) == ("ours-altered", str(clip.job.id), "agrees")


def test_a_mark_pasted_onto_another_clip_is_a_conflict(studio, clip, tmp_path):
    """Without the key: the mean of what the marked frames have and the plain ones have not."""
    pattern = attacks.averaged(
        [residual(y) - residual(x) for y, x in zip(clip.frames, clip.plain, strict=True)]
    )
    other = [np.ascontiguousarray(cv2.GaussianBlur(y[::-1], (0, 0), 3)) for y in clip.plain]
    attacks.x264([attacks.pasted(y, pattern, 2.0) for y in other], 18, tmp_path / "a.mp4")
    found = studio.trace((tmp_path / "a.mp4").read_bytes(), name="asked.mp4")
    assert states(found)["invisible"] == "present"
    assert (found.verdict, states(found)["perceptual"]) == ("conflict", "differs")


# ---- a likeness without a mark ----


def test_a_picture_without_its_mark_looks_like_the_output(studio, upright, astronaut):
    made = studio.deliver(astronaut)
    found = studio.trace(attacks.mirrored(attacks.jpeg(astronaut, 60)))
    assert (found.verdict, found.match, found.job) == ("absent", "absent", "")
    layer = found.layers[-1]
    assert (layer.name, layer.state) == ("perceptual", "alike")
    (alike,) = layer.detail["outputs"]
    assert alike["job"] == str(made.job.id)
    assert alike["similarity"] > 0.95
    assert "no proof" in found.reason


# ---- other tenants ----


@pytest.mark.parametrize("altered", [False, True])
def test_another_tenant_learns_nothing(studio, upright, astronaut, altered):
    made = studio.deliver(astronaut)
    studio.deliver(astronaut[::-1], tenant="other", mark_id=7)
    found = studio.trace(attacks.jpeg(made.y, 80) if altered else made.encoded, by=studio.stranger)
    assert (found.verdict, found.match, found.reasons) == ("absent", "absent", ())
    assert states(found)["invisible"] == "absent"
    assert found.layers[3].statistic is None
    text = json.dumps(found.as_json())
    assert made.job.mark_id not in text
    assert str(made.job.id) not in text


def test_of_two_marks_each_tenant_reads_its_own_at_most(studio, upright, astronaut):
    """In one still the stronger of two marks is read; the other tenant's is never told."""
    first = studio.deliver(astronaut)
    second = studio.deliver(first.y, tenant="other", mark_id=7)
    twice = attacks.jpeg(second.y, 90)
    for by, own, other in ((None, first, second), (studio.stranger, second, first)):
        found = studio.trace(twice, by=by)
        assert found.job in {"", str(own.job.id)}
        assert found.verdict in {"ours-altered", "absent", "undecided"}
        assert str(other.job.id) not in json.dumps(found.as_json())


# ---- bad input ----


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x89PNG\r\n\x1a\n" + bytes(64), b"RIFF\x10\0\0\0WAVEfmt "]
)
def test_what_nobody_can_open_is_refused(studio, content):
    with pytest.raises(UnreadableError):
        studio.trace(content)


@pytest.mark.parametrize(
    ("picture", "verdict"),
    [
        (np.full((16, 16), 90, np.uint8), "undecided"),  # too small to be searched: nothing is claimed
        (np.zeros((40, 900), np.uint8), "undecided"),
    ],
)
def test_a_picture_that_cannot_be_searched_is_undecided(studio, picture, verdict):
    assert studio.trace(picture).verdict == verdict


@pytest.mark.parametrize(
    "shape",
    {
        "alpha": lambda y: cv2.merge([y, y, y, np.full_like(y, 200)]),
        "colour, 16 bit": lambda y: cv2.merge([y, y, y]).astype(np.uint16) * 257,
        "grey, 16 bit": lambda y: y.astype(np.uint16) * 257,
    }.items(),
    ids=lambda item: item[0],
)
def test_other_kinds_of_pixels_are_read(studio, astronaut, shape):
    made = studio.deliver(astronaut)
    assert studio.trace(shape[1](made.y)).job == str(made.job.id)
