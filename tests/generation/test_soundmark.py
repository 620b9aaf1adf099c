"""The sound mark of outputs: put in, read back, reported, and missed."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from generation import loaded, sealing, services
from generation.engine.media.info import MediaLimits
from generation.engine.media.probe import probe
from generation.marking import Finisher
from generation.models import Job
from generation.sealing import SealOrder
from generation.soundmark import SoundFinisher
from tests.generation import fakes
from tests.generation.conftest import Studio
from tests.generation.test_sealing import carrier, chain, footage, order, render  # noqa: F401  fixtures
from tests.watermark import voice
from watermark.errors import SoundLostError
from watermark.sound_search import read_sound
from watermark.state import MarkState

RATE_HZ = 48_000


def talking(
    seconds: float, *, sound: Any = None, codec: str = "aac", suffix: str = "mp4", level: float = 1.0
) -> bytes:
    """A green clip of 8 frames a second that speaks; ``sound`` (n, channels) instead of speech."""
    out = io.BytesIO()
    if sound is None:
        sound = voice.speech(seconds, rate_hz=RATE_HZ)[:, None]
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[sound.shape[1]]
    with av.open(out, "w", format={"mkv": "matroska"}.get(suffix, suffix)) as container:
        video = container.add_stream("libx264", rate=8)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        track = container.add_stream(codec, rate=RATE_HZ, layout=layout)
        for at in range(int(seconds * 8)):
            picture = np.roll(fakes.texture(fakes.GREEN), at, axis=1)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound * level, np.float32).reshape(1, -1), "flt", layout
        )
        frame.sample_rate = RATE_HZ
        resampler = av.AudioResampler(track.codec_context.format.name, layout, RATE_HZ, frame_size=1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(track.encode(part))
        container.mux(track.encode(None))
    return out.getvalue()


@pytest.fixture
def sealed_with(order: SealOrder, tmp_path: Path) -> Callable[[bytes, str], sealing.Sealed]:  # noqa: F811
    """sealed_with(clip, suffix): the sealed output of a clip, its picture marked in one chunk."""

    def seal(clip: bytes, suffix: str = "mp4") -> sealing.Sealed:
        path, chunk = tmp_path / f"talk.{suffix}", tmp_path / "00001-1.mp4"
        path.write_bytes(clip)
        info = probe(path, MediaLimits())
        finish = Finisher(order.marks, order.carrier)
        render(path, info, chunk, finish)
        finish.write_track(chunk)
        made = replace(order, chunks=(chunk,), footage=path, info=info)
        return sealing.seal(made, folder=tmp_path / "sealed")

    return seal


@pytest.mark.parametrize(
    ("codec", "suffix", "channels"), [("aac", "mp4", 2), ("libopus", "mkv", 1), ("pcm_s16le", "mkv", 6)]
)
def test_output_names_its_id_by_ear(
    sealed_with: Any,
    order: SealOrder,  # noqa: F811
    codec: str,
    suffix: str,
    channels: int,
) -> None:
    sound = np.repeat(voice.speech(4, rate_hz=RATE_HZ)[:, None], channels, axis=1)
    sealed = sealed_with(talking(4, sound=sound, codec=codec, suffix=suffix), suffix)
    assert (sealed.sound.state, sealed.sound.algorithm) == ("marked", "tiletone2")
    assert "sound" in sealed.marks
    found = read_sound(sealed.path, keys=[order.carrier.keys])
    assert found.mark_id == order.marks.mark_id
    assert found.start_s == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("seconds", "level", "reason"), [(1.5, 1.0, "shorter"), (4, 0.0, "mute")], ids=["short", "mute"]
)
def test_sound_that_carries_nothing_is_copied_and_reported(
    sealed_with: Any, seconds: float, level: float, reason: str
) -> None:
    sealed = sealed_with(talking(seconds, level=level))
    assert sealed.sound.state == "skipped"
    assert reason in sealed.sound.reason
    assert "sound" not in sealed.marks


def test_hiss_that_hides_too_little_is_reported(sealed_with: Any) -> None:
    hiss = np.random.default_rng(1).normal(0, 0.1, (3 * RATE_HZ, 1)).astype(np.float32)
    sealed = sealed_with(talking(3, sound=hiss))
    assert sealed.sound.as_record() == {
        "state": "skipped",
        "reason": "too little sound between 0.4 and 4 kHz",
        "algorithm": "",
        "z": 0.0,
    }


def test_output_that_lost_its_sound_mark_is_not_sealed(
    sealed_with: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    marked = SoundFinisher.apply

    def forgetful(self: SoundFinisher, blocks: Any) -> Any:
        kept = list(blocks)
        list(marked(self, iter(kept)))
        return iter(kept)

    monkeypatch.setattr(SoundFinisher, "apply", forgetful)
    with pytest.raises(SoundLostError):
        sealed_with(talking(4))
    assert not (tmp_path / "sealed").exists()


@pytest.mark.usefixtures("live_database")
def test_a_jobs_output_carries_the_id_of_its_record(
    quick: Studio, sent: Any, work: Callable[[], None]
) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(talking(3)))
    work()
    job = Job.objects.get(pk=job.pk)
    assert (job.state, job.message) == ("done", "")
    assert job.report["marks"]["sound"]["state"] == "marked"
    path = services.download(uuid.UUID(str(job.pk)), by=quick.by["requester"])
    found = read_sound(path, keys=[loaded.carrier(job.tenant).keys])
    assert found.state is MarkState.PRESENT
    assert f"{found.mark_id:016x}" == job.mark_id
