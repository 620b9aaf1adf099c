from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from generation.engine.errors import TooLargeError, UnreadableMediaError, UnsupportedMediaError
from generation.engine.media.boxes import check_container, sniff
from generation.engine.media.info import MediaInfo, MediaLimits
from generation.engine.media.probe import probe
from tests.generation.engine.media.makers import make_clip, make_sound, png_bomb

LIMITS = MediaLimits()


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def mvhd(seconds: int) -> bytes:
    return box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, seconds * 1000) + bytes(80))


def tkhd(width: int, height: int) -> bytes:
    return box(b"tkhd", bytes(76) + struct.pack(">II", width << 16, height << 16))


FTYP = box(b"ftyp", b"isom" + bytes(8))
NESTED = b""
for _ in range(12):
    NESTED = box(b"moov", NESTED)

BAD_FILES = {
    "empty": (b"", UnreadableMediaError, "empty"),
    "text": (b"This is my holiday video.\n" * 40, UnreadableMediaError, "no picture or video"),
    "hls playlist": (b"#EXTM3U\n#EXTINF:10.0,\nfile:///etc/hostname\n", UnsupportedMediaError, "playlist"),
    "dash playlist": (b"<?xml version='1.0'?><MPD/>", UnsupportedMediaError, "playlist"),
    "concat script": (b"ffconcat version 1.0\nfile a.mp4\n", UnsupportedMediaError, "playlist"),
    "only a head": (FTYP, UnreadableMediaError, "no index"),
    "no track": (FTYP + box(b"moov", mvhd(1)), UnreadableMediaError, "no track"),
    "box too short": (FTYP + struct.pack(">I4s", 4, b"moov"), UnreadableMediaError, "shorter than its head"),
    "box too long": (FTYP + struct.pack(">I4s", 99999, b"moov"), UnreadableMediaError, "cut off"),
    "large size cut": (FTYP + struct.pack(">I4s", 1, b"moov"), UnreadableMediaError, "cut off"),
    "too deep": (FTYP + NESTED, TooLargeError, "depth"),
    "too many boxes": (FTYP + box(b"free") * 10_001, TooLargeError, "number of boxes"),
    "too long": (FTYP + box(b"moov", mvhd(601)), TooLargeError, "duration"),
    "large track": (
        FTYP + box(b"moov", mvhd(1) + box(b"trak", tkhd(8192, 8192))),
        TooLargeError,
        "67108864, the limit is 8847360",
    ),
    "compressed index": (FTYP + box(b"moov", box(b"cmov")), UnsupportedMediaError, "compressed"),
    "track without media": (
        FTYP + box(b"moov", mvhd(1) + box(b"trak", tkhd(64, 64))),
        UnreadableMediaError,
        "no picture stream",
    ),
    "matroska head only": (b"\x1a\x45\xdf\xa3\x84abcd", UnreadableMediaError, "cut off"),
    "matroska bad size": (b"\x1a\x45\xdf\xa3\x00abcdefgh", UnreadableMediaError, "size"),
    "png head only": (b"\x89PNG\r\n\x1a\n" + bytes(20), UnreadableMediaError, "cut off"),
    "jpeg head only": (b"\xff\xd8\xff\xe0\x00\x10JFIF", UnreadableMediaError, "cut off"),
    "webp head only": (b"RIFF\xff\xff\x00\x00WEBPVP8 ", UnreadableMediaError, "cut off"),
    "jpeg of noise": (b"\xff\xd8\xff" + bytes(range(256)), UnreadableMediaError, "jpeg"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    data, kind, reason = BAD_FILES[name]
    path = tmp_path / "upload.mp4"
    path.write_bytes(data)
    with pytest.raises(kind, match=reason) as caught:
        probe(path, LIMITS)
    assert caught.value.code.startswith("media.")
    assert caught.value.hint
    assert str(tmp_path) not in str(caught.value)


def test_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="no such file"):
        probe(tmp_path / "nothing.mp4", LIMITS)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="no picture stream"):
        probe(make_sound(tmp_path / "a.mp4"), LIMITS)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_cut_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = make_clip(tmp_path / name, options={"crf": "5"})
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UnreadableMediaError):
        probe(path, LIMITS)


def test_cut_file_with_its_index_in_front_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableMediaError, match="100 bytes are missing"):
        probe(path, LIMITS)


def test_file_without_frames_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=0, sound="aac")
    with pytest.raises(UnreadableMediaError):
        probe(path, LIMITS)


def test_bytes_over_the_limit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    path.write_bytes(FTYP)
    os.truncate(path, (2 << 30) + 1)
    with pytest.raises(TooLargeError) as caught:
        probe(path, LIMITS)
    assert (caught.value.value, caught.value.limit) == ((2 << 30) + 1, 2 << 30)


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (MediaLimits(duration_s=0.5), "duration"),
        (MediaLimits(pixels=100), "pixels"),
        (MediaLimits(fps=20), "frame"),
        (MediaLimits(streams=1), "streams"),
    ],
)
def test_each_limit_holds_on_a_sound_file(tmp_path: Path, limits: MediaLimits, what: str) -> None:
    path = make_clip(tmp_path / "a.mp4", sound="aac")
    with pytest.raises(TooLargeError, match=what):
        probe(path, limits)


def video_bomb(path: Path, lie: bool) -> Path:
    """Frames of 8192 x 8192; with ``lie`` the container's own fields say 64 x 64."""
    make_clip(path, frames=2, size=(8192, 8192), options={"preset": "ultrafast"}, codec="libx264")
    if lie:
        data = path.read_bytes().replace(struct.pack(">HH", 8192, 8192), struct.pack(">HH", 64, 64))
        path.write_bytes(
            data.replace(struct.pack(">II", 8192 << 16, 8192 << 16), struct.pack(">II", 64 << 16, 64 << 16))
        )
    return path


@pytest.mark.parametrize("lie", [False, True])
def test_video_bomb_is_refused_in_little_memory(tmp_path: Path, lie: bool) -> None:
    path = video_bomb(tmp_path / "bomb.mp4", lie)
    script = (
        "import resource, sys, pathlib\n"
        "from generation.engine.media.probe import probe\n"
        "from generation.engine.errors import MediaError\n"
        "try:\n    probe(pathlib.Path(sys.argv[1]))\n"
        "except MediaError as error:\n    print(type(error).__name__)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    kind, child_mb = done.stdout.split()
    assert kind == "TooLargeError"
    assert int(child_mb) < 200
    assert time.monotonic() - began < 10


def test_png_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_bomb())
    began = time.monotonic()
    with pytest.raises(TooLargeError, match="900000000, the limit is 40000000"):
        probe(path, LIMITS)
    assert time.monotonic() - began < 1


def test_child_that_dies_is_an_answer_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "a.mp4")
    monkeypatch.setattr("generation.engine.media.guarded.sys.executable", "/bin/false")
    with pytest.raises(UnreadableMediaError, match="gave up"):
        probe(path, LIMITS)


def test_child_is_limited_before_it_decodes() -> None:
    script = (
        "import resource\n"
        "from generation.engine.media import guarded\n"
        "guarded._limit()\n"
        "for which in (resource.RLIMIT_CPU, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):\n"
        "    print(resource.getrlimit(which)[1])\n"
        "try:\n    bytearray(guarded.MEMORY_BYTES)\n"
        "except MemoryError:\n    print('memory')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["20", "0", "0", "memory"]


def test_child_limits_itself_and_sees_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = tmp_path / "python"
    spy.write_text(f'#!/bin/sh\nenv > "$0.env"\nexec {sys.executable} -X importtime "$@" 2> "$0.log"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("LIKENESS_DATABASE_URL", "postgresql://secret")
    monkeypatch.setattr("generation.engine.media.guarded.sys.executable", str(spy))
    with pytest.raises(TooLargeError, match="streams"):
        probe(make_clip(tmp_path / "a.mp4"), MediaLimits(streams=0))
    assert "secret" not in (tmp_path / "python.env").read_text()
    written = (tmp_path / "python.log").read_text()  # ends where the child may write no more files
    assert "generation.engine.errors" in written
    assert "generation.engine.media.scan" not in written


def test_child_stays_small() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import generation.engine.media.scan"]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "generation.engine.media.scan" in imported
    assert "numpy" not in imported
    assert "cv2" not in imported


def test_probe_tells_what_the_file_holds(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "a.mp4", frames=50, sound="aac"), LIMITS)
    assert (info.container, info.codec, info.width_px, info.height_px) == ("mp4", "h264", 128, 96)
    assert (info.frame_count, info.rate, info.variable_rate) == (50, Fraction(25), False)
    assert info.duration_s == pytest.approx(2.0)
    assert [k.first_frame for k in info.keyframes] == [0, 12, 24, 36, 48]
    assert info.audio is not None
    assert (info.audio.codec, info.audio.rate_hz, info.audio.channels) == ("aac", 48000, 1)
    assert MediaInfo.from_record(info.as_record()) == info


def test_variable_rate_is_seen(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=4, pts=[0, 40, 200, 230], time_base=Fraction(1, 1000))
    assert probe(path, LIMITS).variable_rate


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(tmp_path: Path, transfer: int, name: str) -> None:
    path = make_clip(
        tmp_path / "a.mp4",
        codec="libx265",
        pix_fmt="yuv420p10le",
        colour=(9, transfer, 9),
        options={"x265-params": "log-level=0"},
    )
    with pytest.raises(UnsupportedMediaError, match=name):
        probe(path, LIMITS)


def test_turn_by_an_odd_angle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMediaError, match="turned"):
        probe(make_clip(tmp_path / "a.mp4", turn=(30.0, False)), LIMITS)


def test_name_with_a_protocol_is_only_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = make_clip(tmp_path / "a.mp4")
    path = Path("concat:a.mp4|b.mp4")
    made.rename(path)
    assert probe(path, LIMITS).frame_count == 30


def test_name_of_any_script_is_read(tmp_path: Path) -> None:
    assert probe(make_clip(tmp_path / "名字 ü %s.mp4"), LIMITS).frame_count == 30


def test_streams_that_are_left_out_are_noted(tmp_path: Path) -> None:
    import av

    path = tmp_path / "b.mkv"
    with (
        av.open(str(make_clip(tmp_path / "a.mkv", sound="aac"))) as source,
        av.open(str(path), "w") as output,
    ):
        picture, sound = source.streams.video[0], source.streams.audio[0]
        targets = [output.add_stream_from_template(s, opaque=True) for s in (picture, sound, sound)]
        for packet in source.demux(picture, sound):
            if packet.dts is not None:
                packet.stream = targets[0] if packet.stream is picture else targets[1]
                output.mux(packet)
    assert "1 further sound stream left out." in probe(path, LIMITS).notes


def test_walk_never_fails_in_another_way(tmp_path: Path) -> None:
    sound = make_clip(tmp_path / "a.mp4", frames=5).read_bytes()
    path = tmp_path / "b.mp4"
    for at in range(0, min(len(sound), 2400), 7):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 0xFF]) + sound[at + 1 :])
        try:
            check_container(path, sniff(path, LIMITS), LIMITS)
        except (UnreadableMediaError, TooLargeError, UnsupportedMediaError):
            continue
