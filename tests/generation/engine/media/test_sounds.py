"""Recordings at the door: what is refused, by its bytes and not by its name; what is known of the rest."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from generation.engine.errors import MediaError, TooLargeError, UnreadableMediaError, UnsupportedMediaError
from generation.engine.media import guarded, hearing, sounds
from generation.engine.media.sounds import SoundInfo, SoundLimits

RATE = 48_000
KINDS = {
    "wav": ("wav", "pcm_s16le"),
    "flac": ("flac", "flac"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("ipod", "aac"),
    "opus": ("ogg", "libopus"),
}


def speech(seconds: float = 2.0, *, rate: int = RATE, channels: int = 1, level: float = 0.2) -> np.ndarray:
    """(n, channels) int16: bursts of a tone, as speech has them."""
    time = np.arange(round(seconds * rate)) / rate
    tone = level * np.sin(2 * np.pi * 220 * time) * (np.sin(2 * np.pi * 2 * time) > -0.3)
    return np.repeat((tone * 32767)[:, None], channels, axis=1).astype(np.int16)


def encoded(pcm: np.ndarray, kind: str, *, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    container, codec = KINDS[kind]
    layout = {1: "mono", 2: "stereo", 3: "2.1"}[pcm.shape[1]]
    with av.open(out, "w", format=container) as made:
        stream = made.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.reshape(1, -1)), "s16", layout)
        frame.sample_rate = rate
        made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return out.getvalue()


def heard(path: Path, data: bytes) -> SoundInfo | str:
    """What the door says; the kind alone when it is no sound. Decodes in this process: it is quicker."""
    path.write_bytes(data)
    kind = sounds.sniff_sound(path)
    if not kind:
        return kind
    sounds.check_sound(path, kind, SoundLimits())
    return hearing.scan_sound(path, kind, SoundLimits())


CLIPPED = np.where(speech() > 0, 32767, -32768).astype(np.int16)
BAD: list[tuple[str, bytes, type[MediaError], str]] = [
    ("empty wav", encoded(speech(), "wav")[:44], UnreadableMediaError, "cut off"),
    ("a head alone", b"RIFF\x00\x00\x00\x00WAVE", UnreadableMediaError, "no sound"),
    ("not what its head says", b"fLaC" + b"\x00" * 400, UnreadableMediaError, "cannot be read"),
    ("text called ID3", b"ID3 hello, this is no music", UnreadableMediaError, "cannot be read"),
    ("silence", encoded(np.zeros((RATE, 1), np.int16), "wav"), UnreadableMediaError, "silent"),
    ("a room", encoded(speech(level=0.002), "flac"), UnreadableMediaError, "silent"),
    ("clipped", encoded(CLIPPED, "wav"), UnreadableMediaError, "clipped"),
    ("a click", encoded(speech(0.2), "wav"), UnreadableMediaError, "nothing is said"),
    ("a telephone", encoded(speech(rate=8000), "wav", rate=8000), UnsupportedMediaError, "8000 samples"),
    ("three channels", encoded(speech(channels=3), "wav"), UnsupportedMediaError, "3 channels"),
    *(
        (f"cut off {kind}", encoded(speech(4), kind)[:-5000], UnreadableMediaError, "cut off|cannot be read")
        for kind in ("wav", "flac", "mp3", "m4a", "opus")
    ),
]


@pytest.mark.parametrize(("name", "data", "error", "words"), BAD, ids=[each[0] for each in BAD])
def test_what_is_no_recording_is_refused(
    name: str, data: bytes, error: type[MediaError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        heard(tmp_path / "voice.wav", data)


def test_a_long_one_and_a_large_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "voice"
    path.write_bytes(encoded(speech(3), "mp3"))

    with pytest.raises(TooLargeError, match="length"):
        hearing.scan_sound(path, "mp3", SoundLimits(duration_s=2.0))
    with pytest.raises(TooLargeError, match="size"):
        sounds.check_sound(path, "mp3", SoundLimits(bytes=1000))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("channels", [1, 2])
def test_every_kind_is_known_by_its_bytes(kind: str, channels: int, tmp_path: Path) -> None:
    found = heard(tmp_path / "voice.txt", encoded(speech(channels=channels), kind))

    assert isinstance(found, SoundInfo)
    assert (found.container, found.channels, found.rate_hz) == (kind, channels, RATE)
    assert found.duration_s == pytest.approx(2.0, abs=0.1)
    assert -25 < found.level_db < -10
    assert SoundInfo.from_record(found.as_record()) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"\x1a\x45\xdf\xa3",
    ],
)
def test_what_is_judged_as_pictures_stays_so(data: bytes, tmp_path: Path) -> None:
    assert heard(tmp_path / "x.wav", data + b"\x00" * 20) == ""


def test_a_clip_with_sound_is_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "clip.m4a"
    path.write_bytes(encoded(speech(), "m4a"))
    assert sounds.sniff_sound(path) == "m4a"
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as made:
        shown = made.add_stream("libx264", rate=25)
        shown.width, shown.height, shown.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            made.mux(shown.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "bgr24")))
        made.mux(shown.encode(None))
    assert heard(path, out.getvalue()) == ""


def test_the_limited_child_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "voice"
    good = heard(path, encoded(speech(), "m4a"))

    assert guarded.scan_sound(path, "m4a", SoundLimits()) == good
    path.write_bytes(encoded(speech(level=0.001), "flac"))
    with pytest.raises(UnreadableMediaError, match="silent"):
        guarded.scan_sound(path, "flac", SoundLimits())
