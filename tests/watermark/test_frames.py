"""Reading of frames: what is no picture first, then every form that a picture can have."""

from __future__ import annotations

import struct
import wave
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from watermark import frames
from watermark.errors import UnreadableError

WIDE, TALL = 96, 64
RAMP = np.tile(np.linspace(20, 200, WIDE).astype(np.uint8), (TALL, 1))
"""Dark on the left."""


def picture(suffix: str, array: np.ndarray = RAMP) -> bytes:
    return cv2.imencode(suffix, array)[1].tobytes()


def clip(path: Path, count: int, *, codec: str = "libx264", pixels: str = "yuv420p", **options: str) -> Path:
    """Frames that are darker on the left, each one level brighter than the one before."""
    form = {".mkv": "matroska", ".mp4": "mp4", ".mov": "mov", ".webm": "webm"}[path.suffix]
    with av.open(str(path), "w", format=form) as out:
        stream = out.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = WIDE, TALL, pixels
        stream.options = options
        for at in range(count):
            grey = np.repeat(RAMP[..., None] + np.uint8(at), 3, axis=2)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(stream.encode())
    return path


def tone(path: Path) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(bytes(3200))
    return path


def cover(path: Path) -> Path:
    """Sound with a picture on its cover: no clip."""
    with av.open(str(path), "w", format="mp4") as out:
        sound, art = out.add_stream("aac", rate=16000), out.add_stream("mjpeg", rate=1)
        art.width, art.height, art.pix_fmt = WIDE, TALL, "yuvj420p"
        art.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.float32), format="fltp", layout="mono")
        frame.rate = 16000
        out.mux(sound.encode(frame))
        out.mux(sound.encode())
        out.mux(art.encode(av.VideoFrame.from_ndarray(np.repeat(RAMP[..., None], 3, 2), format="rgb24")))
        out.mux(art.encode())
    return path


def huge_png() -> bytes:
    """A header of 60,000 x 60,000 pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


# ---- bad input ----------------------------------------------------------------------------------

HOSTILE = {
    "empty": b"",
    "text": b"no picture",
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile /etc/hostname\n",
    "png cut off": picture(".png")[:60],
    "jpeg cut off": picture(".jpg")[:60],
    "png of 3.6 gigapixels": huge_png(),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/hostname"/></svg>',
}

READERS: dict[str, Callable[[Path], object]] = {
    "spread": lambda path: list(frames.spread(path, 4)),
    "sampled": lambda path: frames.sampled(path, 4),
    "first_middle_last": frames.first_middle_last,
    "first_picture": frames.first_picture,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_picture_is_unreadable(tmp_path: Path, name: str, reader: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(UnreadableError):
        READERS[reader](path)


@pytest.mark.parametrize("made", [tone, cover])
def test_sound_is_unreadable_even_with_a_cover(tmp_path: Path, made: object) -> None:
    assert callable(made)
    path = made(tmp_path / ("a.wav" if made is tone else "a.m4a"))
    with pytest.raises(UnreadableError):
        frames.probe(path)


def test_clip_that_is_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", 48, g="12")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    assert 0 < len(list(frames.spread(path, 96))) < 48
    path.write_bytes(data[:200])
    with pytest.raises(UnreadableError):
        frames.probe(path)


@pytest.mark.parametrize("seed", range(12))
def test_changed_octets_are_survived(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = clip(tmp_path / "a.mp4", 6).read_bytes() if seed % 2 else picture(".png")
    changed = np.frombuffer(whole, np.uint8).copy()
    changed[rng.integers(0, len(changed), 8)] = rng.integers(0, 256, 8)
    path = tmp_path / "file"
    path.write_bytes(changed.tobytes())
    try:
        list(frames.spread(path, 4))
    except UnreadableError:
        return


# ---- every form ---------------------------------------------------------------------------------

DEEP = (RAMP.astype(np.uint16) * 257, ".png")
COLOUR = np.repeat(RAMP[..., None], 3, axis=2)
ALPHA = np.dstack([COLOUR, np.full_like(RAMP, 128)])


@pytest.mark.parametrize(
    ("array", "suffix"),
    [
        (RAMP, ".png"),
        (RAMP, ".jpg"),
        (COLOUR, ".png"),
        (COLOUR, ".jpg"),
        (COLOUR, ".webp"),
        (COLOUR, ".tif"),
        (COLOUR, ".bmp"),
        (ALPHA, ".png"),
        (ALPHA, ".webp"),
        DEEP,
        (np.repeat(DEEP[0][..., None], 3, axis=2), ".png"),
    ],
    ids=range(11),
)
def test_still_of_any_form_is_read(tmp_path: Path, array: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(picture(suffix, array))
    ((luma, _, _),) = list(frames.spread(path, 24))
    assert luma.shape == (TALL, WIDE)
    assert abs(float(luma.mean()) - RAMP.mean()) < 12
    assert np.corrcoef(luma.ravel(), RAMP.ravel())[0, 1] > 0.99
    assert [np.array_equal(luma, again) for again in frames.first_middle_last(path)] == [True] * 3


@pytest.mark.parametrize(
    ("name", "options"),
    {
        "one frame": ("a.mp4", {"count": 1}),
        "mkv": ("a.mkv", {"count": 30, "g": "10"}),
        "webm": ("a.webm", {"count": 30, "codec": "libvpx-vp9", "g": "10"}),
        "alpha": ("a.webm", {"count": 6, "codec": "libvpx-vp9", "pixels": "yuva420p"}),
        "10 bit": ("a.mp4", {"count": 12, "pixels": "yuv420p10le"}),
        "4:4:4": ("a.mp4", {"count": 12, "pixels": "yuv444p"}),
        "4:2:2, 10 bit": ("a.mov", {"count": 12, "pixels": "yuv422p10le"}),
        "grey": ("a.mp4", {"count": 12, "pixels": "gray"}),
        "high dynamic range": (
            "a.mp4",
            {
                "count": 12,
                "pixels": "yuv420p10le",
                "x264-params": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
            },
        ),
    }.values(),
    ids=range(9),
)
def test_clip_of_any_form_is_read(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    path = clip(tmp_path / name, **options)  # type: ignore[arg-type]  # a table
    first, _, last = frames.first_middle_last(path)
    assert last.mean() - first.mean() == pytest.approx(int(options["count"]) - 1, abs=5)  # type: ignore[call-overload]
    planes = [luma for luma, _, _ in frames.spread(path, 24)]
    assert {luma.shape for luma in planes} == {(TALL, WIDE)}
    assert np.corrcoef(planes[0].ravel(), RAMP.ravel())[0, 1] > 0.99


def turned(orientation: int) -> bytes:
    """EXIF that turns a picture."""
    return b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHIHHI", 0x0112, 3, 1, orientation, 0, 0)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1), (0, 0), (99, 0)])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_picture_is_turned_as_a_viewer_shows_it(
    tmp_path: Path, suffix: str, orientation: int, turns: int
) -> None:
    data, block = picture(suffix), turned(orientation)
    if suffix == ".jpg":
        new = b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block
        data = data[:2] + new + data[2:]
    else:
        chunk = b"eXIf" + block
        new = struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        data = data[:33] + new + data[33:]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    ((luma, _, _),) = list(frames.spread(path, 1))
    expected = np.rot90(RAMP, turns)
    assert luma.shape == expected.shape
    assert np.corrcoef(luma.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_clip_is_turned_as_a_player_shows_it(tmp_path: Path, degrees: int) -> None:
    path = clip(tmp_path / "a.mp4", 4)
    data = bytearray(path.read_bytes())
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]  # clockwise, ISO 14496-12, 6.2.2
    matrix = struct.pack(">9i", *(v << 16 for v in (cosine, sine, 0, -sine, cosine, 0, 0, 0, 1 << 14)))
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = matrix
    path.write_bytes(data)
    expected = np.rot90(RAMP, -degrees // 90)
    for luma in (next(frames.spread(path, 1))[0], frames.first_middle_last(path)[0]):
        assert luma.shape == expected.shape
        assert np.corrcoef(luma.ravel(), expected.ravel())[0, 1] > 0.99


def test_picture_of_8k_is_read_and_one_of_16_pixels_too(tmp_path: Path) -> None:
    for wide, tall in ((7680, 4320), (16, 16)):
        path = tmp_path / f"{wide}.jpg"
        path.write_bytes(picture(".jpg", np.full((tall, wide), 90, np.uint8)))
        assert next(frames.spread(path, 1))[0].shape == (tall, wide)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"x264-params": "bframes=3:b-adapt=0:b-pyramid=none:keyint=48:scenecut=0:crf=4"}),
        ("b.mp4", {"x264-params": "bframes=5:b-adapt=0:b-pyramid=normal:keyint=20:scenecut=0:crf=4"}),
        ("c.mkv", {"x264-params": "bframes=3:b-adapt=0:open-gop=1:keyint=20:scenecut=0:crf=4"}),
        ("d.mp4", {"codec": "mpeg4"}),
        ("e.webm", {"codec": "libvpx-vp9", "deadline": "realtime", "cpu-used": "8"}),
    ],
)
def test_the_frame_of_a_moment_is_that_frame(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = clip(tmp_path / name, 60, **options)
    with av.open(str(path)) as opened:
        shown = [frame.to_ndarray()[:TALL] for frame in opened.decode(video=0)]

    for wanted in (0, 1, 7, 18, 19, 20, 21, 46, 47, 49, 58, 59):
        first, _, last = frames.first_middle_last(path, until_s=(wanted + 0.5) / 24)
        assert np.array_equal(first, shown[0])
        assert np.array_equal(last, shown[wanted]), wanted
