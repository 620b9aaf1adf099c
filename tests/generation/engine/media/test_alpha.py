from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from generation.engine.errors import EncodeError, UnreadableMediaError
from generation.engine.media.alpha import AlphaWriter, frame_at, over, read_covered
from generation.engine.media.chunks import whole
from generation.engine.media.colour import from_planes, to_planes
from generation.engine.media.decode import read_frames
from generation.engine.media.encode import START_TAG, TIME_BASE_TAG, EncodeSettings, VideoWriter
from generation.engine.media.info import MediaInfo
from generation.engine.media.join import join
from generation.engine.media.probe import probe
from generation.engine.types import Planes
from tests.generation.engine.media.makers import clicks, counter, make_clip, read_counter

SIZE = (128, 96)
FRAMES = 40
LABEL = '{"Label":"1","ContentProducer":"甲乙","ProduceID":"7c1d"}'
ALPHA_MODE = bytes.fromhex("53c08101")  # RFC 9559, 5.1.4.1.28.4: AlphaMode, one octet, 1


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    return make_clip(folder / "in.mp4", frames=FRAMES, size=SIZE, sound="aac")


@pytest.fixture(scope="module")
def info(source: Path) -> MediaInfo:
    return replace(probe(source), time_base=Fraction(1, 25))


def cover(number: int) -> np.ndarray:
    """A soft disc that moves."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    away = np.hypot(rows - 48, columns - 40 - number)
    return np.asarray(np.clip((34 - away) * 32, 0, 255), np.uint8)


def away(found: Planes, wanted: np.ndarray) -> float:
    """Mean error of a cover, 0 to 1."""
    assert found.a is not None
    return float(np.abs(found.a / 255.0 - wanted / 255.0).mean())


def planes(number: int) -> Planes:
    return replace(to_planes(counter(number, SIZE)), a=cover(number))


def chunk(
    path: Path,
    info: MediaInfo,
    numbers: range,
    *,
    keys: frozenset[int] = frozenset(),
    kind: type = AlphaWriter,
) -> Path:
    with kind(path, info=info, settings=EncodeSettings()) as writer:
        for number in numbers:
            writer.write(planes(number), number, key=number in keys)
    return path


def written(path: Path, info: MediaInfo, frames: list[Planes]) -> None:
    with AlphaWriter(path, info=info, settings=EncodeSettings()) as writer:
        for number, each in enumerate(frames):
            writer.write(each, number)


def joined(folder: Path, info: MediaInfo, source: Path | None) -> Path:
    """Two chunks; a key frame is asked for at 30, in the second."""
    chunks = [
        chunk(folder / "0.webm", info, range(18)),
        chunk(folder / "1.webm", info, range(18, FRAMES), keys=frozenset({30})),
    ]
    join(chunks, audio_from=source, out=folder / "out.webm", metadata={"AIGC": LABEL})
    return folder / "out.webm"


@pytest.mark.parametrize("bad", [None, np.zeros((96, 126), np.uint8)], ids=["none", "another size"])
def test_a_frame_without_a_cover_of_its_size_leaves_nothing(
    tmp_path: Path, info: MediaInfo, bad: np.ndarray | None
) -> None:
    with pytest.raises(EncodeError, match="cover"):
        written(tmp_path / "0.webm", info, [planes(0), replace(planes(1), a=bad)])
    assert not list(tmp_path.glob("0*"))


@pytest.mark.parametrize(
    ("kinds", "suffix"),
    [
        ((VideoWriter,), "webm"),
        ((AlphaWriter,), "mp4"),
        ((AlphaWriter,), "mov"),
        ((AlphaWriter,), "mkv"),
        ((AlphaWriter, VideoWriter), "webm"),
    ],
    ids=["H.264 in WebM", "cover in MP4", "cover in MOV", "cover in Matroska", "both"],
)
def test_chunks_of_another_codec_are_not_joined(
    tmp_path: Path, info: MediaInfo, kinds: tuple[type, ...], suffix: str
) -> None:
    chunks = [chunk(tmp_path / str(at), info, range(at, at + 1), kind=kind) for at, kind in enumerate(kinds)]
    with pytest.raises(EncodeError, match="does not hold the picture"):
        join(chunks, audio_from=None, out=tmp_path / f"out.{suffix}", metadata={})
    assert not list(tmp_path.glob("out*"))


def plain_vp9(path: Path) -> Path:
    """VP9 in WebM with the tags of a chunk, and no cover."""
    make_clip(path, frames=4, size=SIZE, codec="libvpx-vp9", options={"deadline": "realtime"})
    tagged = path.with_name("tagged.webm")
    with av.open(str(path)) as opened, av.open(str(tagged), "w") as out:
        out.metadata.update({START_TAG: "0", TIME_BASE_TAG: "1/25"})
        stream = out.add_stream_from_template(opened.streams.video[0], opaque=True)
        for packet in opened.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return tagged


def test_a_chunk_that_lost_its_cover_is_not_delivered(tmp_path: Path) -> None:
    lost = plain_vp9(tmp_path / "a.webm")
    with pytest.raises(EncodeError, match="cover for 0 of its 4 frames"):
        join([lost], audio_from=None, out=tmp_path / "out.webm", metadata={})
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("kind", ["no cover", "H.264", "cut off"])
def test_what_has_no_cover_cannot_be_read_with_one(tmp_path: Path, info: MediaInfo, kind: str) -> None:
    if kind == "no cover":
        path = plain_vp9(tmp_path / "a.webm")
    elif kind == "H.264":
        path = make_clip(tmp_path / "a.mkv", size=SIZE)
    else:
        path = chunk(tmp_path / "a.webm", info, range(4))
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UnreadableMediaError):
        frame_at(path, 0.0)


def test_joined_chunks_keep_pictures_cover_sound_and_label(
    tmp_path: Path, info: MediaInfo, source: Path
) -> None:
    out = joined(tmp_path, info, source)
    found = list(read_covered(out))
    assert [round(25 * at_s) for at_s, _ in found] == list(range(FRAMES))
    assert [read_counter(from_planes(each)) for _, each in found] == list(range(FRAMES))
    assert max(away(each, cover(n)) for n, (_, each) in enumerate(found)) <= 0.005
    assert min(away(each, cover(n + 1)) for n, (_, each) in enumerate(found)) > 0.008
    assert clicks(out) == pytest.approx(clicks(source), abs=0.002)
    with av.open(str(out)) as opened:
        assert opened.metadata["AIGC"] == LABEL
        assert [stream.codec_context.name for stream in opened.streams] == ["vp9", "opus"]
    assert ALPHA_MODE in out.read_bytes()[:4000]
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("name", "sound", "wanted"), [("a.mkv", "libopus", "opus"), ("a.mov", "pcm_s16le", "opus")]
)
def test_sound_of_another_file_is_copied_or_becomes_opus(
    tmp_path: Path, info: MediaInfo, name: str, sound: str, wanted: str
) -> None:
    source = make_clip(tmp_path / name, frames=FRAMES, size=SIZE, sound=sound)
    found = probe(joined(tmp_path, info, source)).audio
    assert found is not None
    assert (found.codec, found.rate_hz) == (wanted, 48_000)
    assert clicks(tmp_path / "out.webm") == pytest.approx(clicks(source), abs=0.002)


def test_cover_and_colour_can_both_be_decoded_from_every_key_frame(tmp_path: Path, info: MediaInfo) -> None:
    out = joined(tmp_path, info, None)
    keys = [key.first_frame for key in probe(out).keyframes]
    assert keys == [0, 18, 30]
    for number in keys:
        at_s, first = next(iter(read_covered(out, from_s=number / 25)))
        assert (round(25 * at_s), read_counter(from_planes(first))) == (number, number)
        assert away(first, cover(number)) <= 0.005


@pytest.mark.parametrize(
    ("time_s", "number"), [(0.0, 0), (0.039, 0), (0.04, 1), (0.9, 22), (1.56, 39), (9.0, 39)]
)
def test_the_frame_at_a_time_is_the_one_that_is_shown_then(
    tmp_path: Path, info: MediaInfo, time_s: float, number: int
) -> None:
    out = joined(tmp_path, info, None)
    assert read_counter(from_planes(frame_at(out, time_s))) == number


def test_as_footage_it_is_taken_by_its_colours_and_says_so(tmp_path: Path, info: MediaInfo) -> None:
    out = joined(tmp_path, info, None)
    found = probe(out)
    assert "The picture's transparency was dropped." in found.notes
    shown = [read_counter(frame.picture) for frame in read_frames(out, found, whole(found))]
    assert shown == list(range(FRAMES))


def test_over_a_colour_only_what_is_covered_stays() -> None:
    y, half = np.full((4, 4), 100, np.uint8), np.full((2, 2), 60, np.uint8)
    a = np.array([[255, 255, 0, 0]] * 2 + [[51, 51, 255, 0]] * 2, np.uint8)
    shown = over(Planes(y, half, half, a), luma=200, u=128, v=160)
    assert shown.y.tolist() == [[100, 100, 200, 200]] * 2 + [[180, 180, 100, 200]] * 2
    assert (shown.u.tolist(), shown.v.tolist()) == ([[60, 128], [114, 94]], [[60, 160], [140, 110]])
    assert shown.a is None
