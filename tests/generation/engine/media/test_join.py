from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from generation.engine.errors import EncodeError, UnsupportedMediaError
from generation.engine.media.chunks import plan_chunks, whole
from generation.engine.media.colour import to_planes
from generation.engine.media.decode import read_frames
from generation.engine.media.encode import EncodeSettings, open_writer
from generation.engine.media.image import encode_png
from generation.engine.media.join import join
from generation.engine.media.opening import open_media
from generation.engine.media.probe import probe
from generation.engine.media.sound import Decoded
from generation.engine.media.tags import read_mp4_tags, read_png_tags
from tests.generation.engine.media.makers import clicks, counter, make_clip, read_all, read_counter

SETTINGS = EncodeSettings()
LABEL = '{"Label":"1","ContentProducer":"甲乙","ProduceID":"7c1d"}'
JITTER = [0, 300, 700, 1600, 1900, 3700, 4100, 4400, 5300, 5700, 6000, 6300]


def write_chunks(
    path: Path, folder: Path, *, target_s: float, settings: EncodeSettings = SETTINGS
) -> list[Path]:
    info = probe(path)
    chunks = []
    for span in plan_chunks(info, target_s=target_s):
        chunk = folder / f"{span.index}.mp4"
        with open_writer(chunk, info=info, settings=settings) as writer:
            for frame in read_frames(path, info, span):
                if not frame.warm:
                    writer.write(to_planes(frame.picture), frame.pts)
        chunks.append(chunk)
    return chunks


CLIPS = {
    "constant": {"name": "a.mp4", "sound": "aac"},
    "variable": {
        "name": "a.mp4",
        "sound": "aac",
        "pts": [7000 * (n // 12) + JITTER[n % 12] for n in range(96)],
        "time_base": Fraction(1, 12800),
    },
    "matroska": {"name": "a.mkv", "sound": "aac"},
    "ntsc": {
        "name": "a.mov",
        "sound": "aac",
        "pts": [1001 * n for n in range(96)],
        "time_base": Fraction(1, 30000),
    },
    "webm": {
        "name": "a.webm",
        "sound": "libopus",
        "codec": "libvpx-vp9",
        "options": {"deadline": "realtime"},
    },
    "silent": {"name": "a.mp4"},
    "late": {
        "name": "a.mkv",
        "sound": "aac",
        "sound_start_s": 5,
        "pts": [5000 + 40 * n for n in range(96)],
        "time_base": Fraction(1, 1000),
    },
    "late and silent": {
        "name": "a.mkv",
        "pts": [5000 + 40 * n for n in range(96)],
        "time_base": Fraction(1, 1000),
    },
}


@pytest.mark.parametrize("name", CLIPS)
def test_joined_chunks_match_their_input_frame_by_frame(tmp_path: Path, name: str) -> None:
    options = dict(CLIPS[name])
    path = make_clip(tmp_path / str(options.pop("name")), frames=96, **options)
    chunks = write_chunks(path, tmp_path, target_s=1.0)
    assert len(chunks) >= 3
    out = tmp_path / "out.mp4"
    join(chunks, audio_from=path, out=out, metadata={"AIGC": LABEL, "note": "x"})
    before, after = read_all(path), read_all(out)
    assert [read_counter(picture) for _, picture in after] == list(range(96))
    shift = before[0][0] - after[0][0]
    assert max(abs(a - b - shift) for (a, _), (b, _) in zip(before, after, strict=True)) < 1e-4
    assert after[0][0] == pytest.approx(0 if name.startswith("late") else before[0][0], abs=0.03)
    assert read_mp4_tags(out)["AIGC"] == LABEL
    if options.get("sound"):
        assert [time + shift for time in clicks(out)] == pytest.approx(clicks(path), abs=0.002)
        assert len(clicks(out)) >= 3
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("suffix", ["avi", "part", ""])
def test_container_that_is_not_written_is_an_error(tmp_path: Path, suffix: str) -> None:
    chunks = write_chunks(make_clip(tmp_path / "a.mp4"), tmp_path, target_s=1.0)
    with pytest.raises(EncodeError, match="No clip is written"):
        join(chunks, audio_from=None, out=tmp_path / f"out.{suffix}".rstrip("."), metadata={})


@pytest.mark.parametrize("suffix", ["mov", "mkv"])
@pytest.mark.parametrize("name", ["constant", "webm", "late"])
def test_other_containers_hold_the_same_frames_sound_and_tags(tmp_path: Path, name: str, suffix: str) -> None:
    options = dict(CLIPS[name])
    path = make_clip(tmp_path / str(options.pop("name")), frames=96, **options)
    out = tmp_path / f"out.{suffix}"
    join(write_chunks(path, tmp_path, target_s=2.0), audio_from=path, out=out, metadata={"AIGC": LABEL})
    before, after = read_all(path), read_all(out)
    assert [read_counter(picture) for _, picture in after] == list(range(96))
    shift = before[0][0] - after[0][0]
    # Matroska counts milliseconds, and begins the file with the first frame in order of decoding
    assert max(abs(a - b - shift) for (a, _), (b, _) in zip(before, after, strict=True)) < 1.1e-3
    assert after[0][0] < 0.2
    assert [time + shift for time in clicks(out)] == pytest.approx(clicks(path), abs=0.003)
    with av.open(str(out)) as opened:
        assert opened.metadata["AIGC"] == LABEL


@pytest.mark.parametrize(
    ("name", "sound"), [("a.mkv", "pcm_s16le"), ("a.mov", "pcm_s16le"), ("a.mkv", "wavpack")]
)
def test_sound_that_mp4_does_not_carry_is_transcoded(tmp_path: Path, name: str, sound: str) -> None:
    path = make_clip(tmp_path / name, frames=60, sound=sound)
    out = tmp_path / "out.mp4"
    join(write_chunks(path, tmp_path, target_s=1.0), audio_from=path, out=out, metadata={})
    info = probe(out)
    assert info.audio is not None
    assert info.audio.codec == "aac"
    assert clicks(out) == pytest.approx([0.0, 1.0, 2.0], abs=0.01)


class Halved:
    """Halves a sound, a block later than it came; ``asked`` False: has nothing to add."""

    def __init__(self, *, asked: bool = True) -> None:
        self.asked, self.heard, self.passed = asked, 0, 0

    def measure(self, blocks: Iterator[np.ndarray], *, rate_hz: int, channels: int) -> bool:
        self.heard = sum(len(block) for block in blocks)
        self.shape = (rate_hz, channels)
        return self.asked

    def apply(self, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        held = np.empty((0, self.shape[1]), np.float32)
        for block in blocks:
            self.passed += len(block)
            yield held
            held = block / 2
        yield held


@pytest.mark.parametrize(
    ("name", "sound"),
    [("a.mp4", "aac"), ("a.mkv", "aac"), ("a.mov", "pcm_s16le"), ("a.webm", "libopus"), ("late.mkv", "aac")],
)
def test_filtered_sound_stays_in_step_with_the_picture(tmp_path: Path, name: str, sound: str) -> None:
    late = name.startswith("late")
    path = make_clip(
        tmp_path / name,
        frames=60,
        sound=sound,
        sound_start_s=5 * late,
        codec="libvpx-vp9" if name.endswith("webm") else "libx264",
        options={"deadline": "realtime"} if name.endswith("webm") else None,
        pts=[5000 + 40 * n for n in range(60)] if late else None,
        time_base=Fraction(1, 1000) if late else None,
    )
    chunks, out, plain = write_chunks(path, tmp_path, target_s=1.0), tmp_path / "o.mp4", tmp_path / "p.mp4"
    halved = Halved()
    join(chunks, audio_from=path, out=out, metadata={}, sound_filter=halved)
    join(chunks, audio_from=path, out=plain, metadata={})
    assert halved.shape == (48000, 1)
    assert halved.heard == halved.passed
    assert clicks(out) == pytest.approx(clicks(plain), abs=0.003)
    assert len(clicks(out)) == 3
    assert loudest(out) == pytest.approx(loudest(plain) / 2, rel=0.15)


class Vowels:
    """Puts two seconds of a voice's harmonics in the place of a sound."""

    def measure(self, blocks: Iterator[np.ndarray], *, rate_hz: int, channels: int) -> bool:
        assert channels == 1
        at = np.arange(sum(map(len, blocks))) / rate_hz
        tones = [np.sin(2 * np.pi * 140 * n * at + n) / n for n in range(1, 25)]
        self.said = (0.1 * np.sum(tones, 0) * np.exp(-3 * (at % 0.5))).astype(np.float32)
        return True

    def apply(self, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for _ in blocks:
            pass
        yield self.said[:, None]


def test_filtered_sound_keeps_its_form(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=60, sound="aac")
    chunks, out, vowels = write_chunks(path, tmp_path, target_s=1.0), tmp_path / "out.mp4", Vowels()

    join(chunks, audio_from=path, out=out, metadata={}, sound_filter=vowels)

    with av.open(str(out)) as opened:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in opened.decode(audio=0)])
    said = vowels.said[:80_000]
    noise = min(float(np.square(heard[late : late + len(said)] - said).mean()) for late in (0, 1024, 2048))
    assert 10 * np.log10(float(np.square(said).mean()) / noise) > 33


def loudest(path: Path) -> float:
    with av.open(str(path)) as opened:
        return max(float(np.abs(frame.to_ndarray()).max()) for frame in opened.decode(audio=0))


def test_sound_that_a_filter_leaves_alone_is_copied(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", sound="aac")
    chunks, out = write_chunks(path, tmp_path, target_s=1.0), tmp_path / "out.mp4"
    join(chunks, audio_from=path, out=out, metadata={}, sound_filter=Halved(asked=False))
    with av.open(str(path)) as before, av.open(str(out)) as after:
        sent, got = ([bytes(p) for p in each.demux(audio=0) if p.size] for each in (before, after))
    assert got == sent


def test_hole_in_the_times_of_the_sound_becomes_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        track = output.add_stream("pcm_s16le", rate=48000)
        track.layout = "mono"
        for start in (0, 24000, 96000):
            frame = av.AudioFrame.from_ndarray(np.full((1, 24000), 3000, np.int16), "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    with open_media(path, "matroska") as opened:
        decoded = Decoded(opened, opened.streams.audio[0], rate_hz=48000, channels=2)
        pcm = np.concatenate(list(decoded.blocks()))
    assert pcm.shape == (120000, 2)
    assert not pcm[48000:96000].any()
    assert (pcm[:48000] != 0).all()


def test_hole_of_hours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        track = output.add_stream("pcm_s16le", rate=48000)
        track.layout = "mono"
        for start in (0, 5 * 3600 * 48000):
            frame = av.AudioFrame.from_ndarray(np.full((1, 960), 3000, np.int16), "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    with open_media(path, "matroska") as opened:
        decoded = Decoded(opened, opened.streams.audio[0], rate_hz=48000, channels=1)
        with pytest.raises(UnsupportedMediaError, match="hole"):
            list(decoded.blocks())


def test_rounded_times_of_matroska_become_even(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", frames=90, sound="aac")
    out = tmp_path / "out.mp4"
    join(write_chunks(path, tmp_path, target_s=9), audio_from=path, out=out, metadata={})
    with av.open(str(out)) as opened:
        times = [packet.pts for packet in opened.demux(audio=0) if packet.size]
    assert {b - a for a, b in pairwise(times)} == {1024}


def test_sound_is_dropped_only_when_asked(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", sound="aac")
    out = tmp_path / "out.mp4"
    join(write_chunks(path, tmp_path, target_s=1.0), audio_from=None, out=out, metadata={})
    assert probe(out).audio is None


def test_lost_sound_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "a.mp4", sound="aac")
    chunks = write_chunks(path, tmp_path, target_s=1.0)
    monkeypatch.setattr("generation.engine.media.sound._moved", lambda *_: iter(()))
    out = tmp_path / "out.mp4"
    with pytest.raises(EncodeError, match=r"has none|does not read back"):
        join(chunks, audio_from=path, out=out, metadata={})
    assert not out.exists()
    assert not list(tmp_path.glob("*.part"))


def test_lost_frame_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from generation.engine.media import join as module

    chunks = write_chunks(make_clip(tmp_path / "a.mp4"), tmp_path, target_s=9)
    whole_clip = module._pictures
    monkeypatch.setattr(module, "_pictures", lambda *args: islice(whole_clip(*args), 29))
    with pytest.raises(EncodeError, match="29 frames instead of 30"):
        join(chunks, audio_from=None, out=tmp_path / "out.mp4", metadata={})
    assert not (tmp_path / "out.mp4").exists()


def test_lost_tag_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = write_chunks(make_clip(tmp_path / "a.mp4"), tmp_path, target_s=9)
    monkeypatch.setattr("generation.engine.media.join.OPTIONS", {"movflags": "faststart"})
    with pytest.raises(EncodeError, match="AIGC"):
        join(chunks, audio_from=None, out=tmp_path / "out.mp4", metadata={"AIGC": LABEL})


def test_chunks_of_different_parameters_are_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=60)
    one = write_chunks(path, tmp_path, target_s=1.0)
    (tmp_path / "b").mkdir()
    other = write_chunks(path, tmp_path / "b", target_s=1.0, settings=EncodeSettings(preset="medium"))
    with pytest.raises(EncodeError, match="same parameters"):
        join([one[0], other[1]], audio_from=None, out=tmp_path / "out.mp4", metadata={})
    with pytest.raises(EncodeError, match="overlap"):
        join([one[0], one[0]], audio_from=None, out=tmp_path / "out.mp4", metadata={})
    with pytest.raises(EncodeError, match="no chunks"):
        join([], audio_from=None, out=tmp_path / "out.mp4", metadata={})
    with pytest.raises(EncodeError, match="start"):
        join([path], audio_from=None, out=tmp_path / "out.mp4", metadata={})
    assert not (tmp_path / "out.mp4").exists()


def test_output_says_its_colour_and_starts_fast(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    join(
        write_chunks(make_clip(tmp_path / "a.mp4"), tmp_path, target_s=9),
        audio_from=None,
        out=out,
        metadata={},
    )
    info = probe(out)
    assert (info.colour_space, info.full_range, info.pixel_format) == (1, False, "yuv420p")
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_picture_becomes_a_png_with_its_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(counter(181, (128, 96))))
    chunks = write_chunks(path, tmp_path, target_s=9)
    out = tmp_path / "out.png"
    join(chunks, audio_from=path, out=out, metadata={"AIGC": LABEL})
    info = probe(out)
    picture = next(iter(read_frames(out, info, whole(info)))).picture
    assert info.container == "png"
    assert read_counter(picture) == 181
    assert np.abs(picture.astype(int) - counter(181, (128, 96))).mean() < 2
    assert read_png_tags(out) == {"AIGC": LABEL}


def test_writer_leaves_nothing_after_an_error(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "a.mp4"))
    planes = to_planes(counter(1, (128, 96)))
    chunk = tmp_path / "c.mp4"

    def write_through(path: Path) -> None:
        with open_writer(path, info=info, settings=SETTINGS) as writer:
            writer.write(planes, 0)

    def write_and_fail(path: Path) -> None:
        with open_writer(path, info=info, settings=SETTINGS) as writer:
            writer.write(planes, 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail(chunk)
    with pytest.raises(EncodeError, match="no frames"), open_writer(chunk, info=info, settings=SETTINGS):
        pass
    with pytest.raises(EncodeError, match=r"cannot be (finished|written)"):
        write_through(tmp_path / "no" / "c.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


FULL_DISK = """
import resource, sys
from pathlib import Path
import av
import numpy as np
from generation.engine.errors import EncodeError, UnsupportedMediaError
from generation.engine.media.colour import to_planes
from generation.engine.media.encode import EncodeSettings, open_writer
from generation.engine.media.join import join
from generation.engine.media.opening import open_media
from generation.engine.media.probe import probe
from generation.engine.media.sound import Decoded
folder = Path(sys.argv[1])
info = probe(folder / "a.mp4")
chunk = folder / "c.mp4"
noise = np.random.default_rng(1)
def write():
    with open_writer(chunk, info=info, settings=EncodeSettings(crf=10)) as writer:
        for n in range(30):
            writer.write(to_planes(noise.integers(0, 255, (96, 128, 3), np.uint8)), n * 512)
def full():
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
if sys.argv[2] == "chunk":
    full()
    what = write
else:
    write()
    full()
    what = lambda: join([chunk], audio_from=None, out=folder / "out.mp4", metadata={})
try:
    what()
except EncodeError as error:
    print(error.code, error)
"""


@pytest.mark.parametrize("where", ["chunk", "join"])
def test_full_disk_is_an_error_that_leaves_nothing(tmp_path: Path, where: str) -> None:
    make_clip(tmp_path / "a.mp4")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), where], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("media.encode The output cannot be")
    left = {"a.mp4"} if where == "chunk" else {"a.mp4", "c.mp4"}
    assert {p.name for p in tmp_path.iterdir()} == left
