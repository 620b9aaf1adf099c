"""The AIGC label in every container: hostile files first, then what other tools see."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import subprocess
import wave
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from watermark import containers, matroska, riff, tiff
from watermark.containers import Kind
from watermark.errors import ContainerError
from watermark.metadata import (
    AigcLabel,
    AigcState,
    SourceType,
    append_source,
    check_label,
    embed_label,
    read_label,
)

TEXT = '{"Label":"1","ContentProducer":"p","ProduceID":"i"}'
CLIPS = {"mp4": "libx264", "mov": "libx264", "mkv": "libx264", "webm": "libvpx-vp9"}


def muxed(path: Path, tags: dict[str, str], *, plain: bool = False) -> Path:
    """A clip of four frames as our muxers write it; ``plain`` leaves their options out."""
    kind = containers.output_kind(path.suffix)
    how = containers.muxing(kind)
    options = {} if plain else dict(how.options)
    with av.open(str(path), "w", format=how.format, options=options) as out:
        out.metadata.update(tags)
        stream = out.add_stream(CLIPS[path.suffix[1:]], rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 40 * at, np.uint8), format="yuv420p")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def sound() -> bytes:
    """A tenth of a second of silence as WAV."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(bytes(3200))
    return stream.getvalue()


def picture(suffix: str) -> bytes:
    return cv2.imencode(suffix, np.full((32, 48, 3), 90, np.uint8))[1].tobytes()


def read(tmp_path: Path, data: bytes) -> AigcState:
    path = tmp_path / "file"
    path.write_bytes(data)
    return read_label(path).state


def vint(value: int, length: int = 8) -> bytes:
    return ((1 << 7 * length) | value).to_bytes(length, "big")


def element(name: int, payload: bytes, size: int | None = None) -> bytes:
    head = name.to_bytes((name.bit_length() + 7) // 8, "big")
    return head + vint(len(payload) if size is None else size) + payload


def simple_tag(text: str = TEXT, name: str = "AIGC", inner: bytes = b"") -> bytes:
    return element(0x67C8, element(0x45A3, name.encode()) + element(0x4487, text.encode()) + inner)


def mkv(*tags: bytes, size: int | None = None, before: bytes = b"") -> bytes:
    body = before + element(0x1254C367, b"".join(element(0x7373, tag) for tag in tags))
    return element(0x1A45DFA3, element(0x4282, b"matroska")) + element(0x18538067, body, size)


def riff_file(form: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        struct.pack("<4sI", name, len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + form + body


def exif(order: str, *fields: tuple[int, int, bytes], following: int = 0) -> bytes:
    """TIFF data with one directory; a value longer than four octets stands after it."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    out, at, tail = struct.pack(f"{order}H", len(fields)), 8 + 2 + 12 * len(fields) + 4, b""
    for tag, kind, data in fields:
        count = len(data) // {1: 1, 3: 2, 4: 4, 7: 1}[kind]
        value = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(f"{order}I", at + len(tail))
        tail += data if len(data) > 4 else b""
        out += struct.pack(f"{order}HHI", tag, kind, count) + value
    return head + out + struct.pack(f"{order}I", following) + tail


MOOV = struct.pack(">I4sI4s", 8016, b"moov", 8008, b"udta") + b"\0\0\0\x08free" * 1000
COMMENT = b"ASCII\0\0\0" + b'{"AIGC":' + TEXT.encode() + b"}"
DEEP = simple_tag("x", "A")
for _ in range(20):
    DEEP = simple_tag("x", "A", DEEP)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "state"),
    {
        "ebml cut off": (mkv(simple_tag())[:60], AigcState.ABSENT),
        "ebml header only": (b"\x1a\x45\xdf\xa3", AigcState.ABSENT),
        "ebml size over the end": (mkv(simple_tag(), size=1 << 40), AigcState.ABSENT),
        "ebml tag over its parent": (
            mkv(element(0x67C8, element(0x45A3, b"AIGC", 1 << 30))),
            AigcState.ABSENT,
        ),
        "ebml id of no length": (element(0x1A45DFA3, b"") + b"\0" * 40, AigcState.ABSENT),
        "ebml tags in tags without end": (mkv(DEEP), AigcState.ABSENT),
        "ebml tag of unknown size": (mkv(element(0x67C8, b"abc", (1 << 56) - 1)), AigcState.ABSENT),
        "ebml two copies": (mkv(simple_tag(), simple_tag()), AigcState.MALFORMED),
        "ebml copy in a tag": (mkv(simple_tag(inner=simple_tag())), AigcState.MALFORMED),
        "ebml not JSON": (mkv(simple_tag("{'Label':1}")), AigcState.MALFORMED),
        "ebml not UTF-8": (
            mkv(element(0x67C8, element(0x45A3, b"AIGC") + element(0x4485, b"\xff\xfe{}"))),
            AigcState.MALFORMED,
        ),
        "ebml oversized": (mkv(simple_tag(TEXT + " " * 70_000)), AigcState.MALFORMED),
        "riff cut off": (riff_file(b"WAVE", (b"AIGC", TEXT.encode()))[:40], AigcState.ABSENT),
        "riff head only": (b"RIFF\0\0\0\0WAVE", AigcState.ABSENT),
        "riff chunk over the end": (
            riff_file(b"WAVE", (b"fmt ", b"\xff" * 4 + b"AIGC\xff\xff\xff\x7f")),
            AigcState.ABSENT,
        ),
        "riff too many chunks": (riff_file(b"WAVE", *[(b"junk", b"")] * 10_001), AigcState.ABSENT),
        "riff two copies": (
            riff_file(b"WAVE", (b"AIGC", TEXT.encode()), (b"LIST", b"INFOAIGC\2\0\0\0{}")),
            AigcState.MALFORMED,
        ),
        "riff not JSON": (riff_file(b"WAVE", (b"AIGC", b"1")), AigcState.MALFORMED),
        "riff oversized": (riff_file(b"WAVE", (b"AIGC", b"{" * 70_000)), AigcState.MALFORMED),
        "riff too many lists": (riff_file(b"AVI ", *[(b"LIST", b"INFO")] * 101), AigcState.ABSENT),
        "jpeg too many segments": (b"\xff\xd8" + b"\xff\xfe\0\2" * 20_001, AigcState.ABSENT),
        "mp4 too many boxes in boxes": (
            b"\0\0\0\x08ftyp" + MOOV * 21,
            AigcState.ABSENT,
        ),
        "riff other list": (riff_file(b"AVI ", (b"LIST", b"hdrlAIGC\xff\xff\xff\xff")), AigcState.ABSENT),
        "webp hostile xmp": (
            riff_file(b"WEBP", (b"XMP ", b"<!DOCTYPE a><a>http://www.tc260.org.cn/ns/AIGC/1.0/</a>")),
            AigcState.MALFORMED,
        ),
        "tiff loop": (exif("<", (0x0112, 3, b"\1\0"), following=8), AigcState.ABSENT),
        "tiff value over the end": (exif(">", (0x9286, 7, b"x" * 99))[:60], AigcState.ABSENT),
        "tiff many fields": (b"II*\0\x08\0\0\0\xff\xff" + bytes(200), AigcState.ABSENT),
        "tiff directory nowhere": (b"MM\0*\xff\xff\xff\xf0", AigcState.ABSENT),
        "tiff comment of no JSON": (exif("<", (0x9286, 7, b"ASCII\0\0\0{{{{")), AigcState.ABSENT),
        "tiff comment of nonsense": (exif("<", (0x9286, 7, b'ASCII\0\0\0{"AIGC":[1]}')), AigcState.MALFORMED),
        "tiff two copies": (exif("<", (0x9286, 7, COMMENT), (0x9286, 7, COMMENT)), AigcState.MALFORMED),
    }.values(),
    ids=range(31),
)  # fmt: skip
def test_hostile_file_has_no_label(tmp_path: Path, data: bytes, state: AigcState) -> None:
    assert read(tmp_path, data) is state


def test_boxes_are_counted_over_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\0\0\0\x08ftyp" + MOOV * 21)
    assert "too many boxes" in read_label(path).reason


def test_every_cut_of_a_file_is_survived(tmp_path: Path, aigc: AigcLabel) -> None:
    whole = {
        "mkv": mkv(simple_tag()),
        "wav": embed_label(sound(), aigc)[:900],
        "tif": exif("<", (0x9286, 7, COMMENT)),
    }
    for data in whole.values():
        for end in range(0, len(data), 3):
            assert read(tmp_path, data[:end]) in {AigcState.ABSENT, AigcState.MALFORMED}


@pytest.mark.parametrize("seed", range(60))
def test_changed_octets_are_survived(tmp_path: Path, aigc: AigcLabel, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for data in (mkv(simple_tag()), embed_label(sound(), aigc)[:900], exif(">", (0x9286, 7, COMMENT))):
        changed = np.frombuffer(data, np.uint8).copy()
        changed[rng.integers(0, len(changed), 5)] = rng.integers(0, 256, 5)
        read(tmp_path, changed.tobytes())


@pytest.mark.parametrize("suffix", ["avi", "gif", "ogg", "mp3", "flv", "", "..", "mp4/..", "exe" * 40])
def test_container_that_cannot_hold_the_label_is_refused_by_name(suffix: str) -> None:
    with pytest.raises(ContainerError):
        containers.output_kind(suffix)


@pytest.mark.parametrize("kind", [Kind.AVI, Kind.WAV, Kind.PNG, Kind.WEBP])
def test_kind_without_a_muxer_that_keeps_the_label_is_refused(kind: Kind) -> None:
    with pytest.raises(ContainerError):
        containers.muxing(kind)


@pytest.mark.parametrize(
    "data",
    [picture(".webp"), picture(".tif"), mkv(), riff_file(b"AVI "), riff_file(b"WAVE"), sound()[:30]],
    ids=["webp", "tiff", "mkv", "avi", "wav without format", "wav cut off"],
)
def test_file_that_takes_no_label_afterwards_is_refused(data: bytes, aigc: AigcLabel) -> None:
    with pytest.raises(ContainerError):
        embed_label(data, aigc)


# ---- what must work -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", CLIPS)
def test_clip_gives_its_label_back(tmp_path: Path, suffix: str, aigc: AigcLabel) -> None:
    path = muxed(tmp_path / f"clip.{suffix}", {"AIGC": aigc.to_json(), "title": "x"})
    assert check_label(path, aigc.to_json()) == aigc
    assert containers.kind_of(path) is containers.output_kind(suffix)


@pytest.mark.parametrize(("suffix", "state"), [("mp4", "absent"), ("mov", "absent"), ("mkv", "present")])
def test_options_of_the_muxer_are_needed_where_they_are_given(
    tmp_path: Path, suffix: str, state: str, aigc: AigcLabel
) -> None:
    path = muxed(tmp_path / f"clip.{suffix}", {"AIGC": aigc.to_json()}, plain=True)
    assert read_label(path).state == state


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_clip_takes_its_source_type_when_it_is_finished(tmp_path: Path, suffix: str, aigc: AigcLabel) -> None:
    path = muxed(tmp_path / f"clip.{suffix}", {"AIGC": aigc.to_json()})
    append_source(path)
    assert check_label(path, aigc.to_json()) == aigc
    assert path.read_bytes().count(SourceType.COMPOSITE.encode()) == 1
    with av.open(str(path)) as clip:
        assert len(list(clip.decode(video=0))) == 4
    with pytest.raises(ContainerError):
        append_source(path)
    with pytest.raises(ContainerError):
        append_source(muxed(tmp_path / "clip.mkv", {}))


def test_sound_gives_its_label_back_and_plays_the_same(tmp_path: Path, aigc: AigcLabel) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(embed_label(sound(), aigc))
    assert check_label(path, aigc.to_json()) == aigc
    assert SourceType.COMPOSITE.encode() in path.read_bytes()
    with wave.open(str(path)) as found:
        assert found.readframes(10_000) == bytes(3200)


def test_older_labels_of_a_sound_are_replaced(aigc: AigcLabel) -> None:
    data = sound()
    info = b"INFOAIGC" + struct.pack("<I", len(TEXT)) + TEXT.encode() + b"\0" * (len(TEXT) % 2)
    old = riff_file(b"WAVE", (b"fmt ", data[20:36]), (b"LIST", info), (b"AIGC", b"{}"), (b"data", data[44:]))
    assert embed_label(old, aigc) == embed_label(data, aigc)


def test_label_in_the_exif_of_a_picture_is_read_and_replaced(tmp_path: Path, aigc: AigcLabel) -> None:
    block = exif("<", (0x0112, 3, b"\6\0"), (0x9286, 7, COMMENT))
    jpeg, png = picture(".jpg"), picture(".png")
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block
    chunk = b"eXIf" + block
    for data in (
        jpeg[:2] + segment + jpeg[2:],
        png[:33] + struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:],
        riff_file(b"WEBP", (b"EXIF", b"Exif\0\0" + block)),
        block,
    ):
        path = tmp_path / "file"
        path.write_bytes(data)
        assert read_label(path).text == json.dumps(json.loads(TEXT))
        if containers.takes_label_afterwards(containers.kind_of(path)):
            path.write_bytes(embed_label(data, aigc))
            assert check_label(path, aigc.to_json()) == aigc


def test_labels_of_other_makers_are_read(tmp_path: Path) -> None:
    quoted = TEXT.replace('"', "&quot;")
    packet = f'<d xmlns:T="http://www.tc260.org.cn/ns/AIGC/1.0/" T:AIGC="{quoted}"/>'.encode()
    box = lambda name, body: struct.pack(">I4s", len(body) + 8, name) + body  # noqa: E731
    item = box(b"----", box(b"mean", bytes(4) + b"x") + box(b"name", bytes(4) + b"AIGC")
               + box(b"data", bytes(8) + TEXT.encode()))  # fmt: skip
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(24)) + box(b"ilst", item))
    ftyp, uuid = box(b"ftyp", b"M4A "), bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    for data in (
        riff_file(b"AVI ", (b"LIST", b"INFOAIGC" + struct.pack("<I", len(TEXT)) + TEXT.encode())),
        riff_file(b"WEBP", (b"XMP ", packet)),
        riff_file(b"WAVE", (b"_PMX", packet)),
        exif(">", (700, 1, packet)),
        ftyp + box(b"moov", box(b"udta", meta)),
        ftyp + box(b"moov", b"") + box(b"uuid", uuid + packet),
        mkv(simple_tag(name="aigc")),
    ):
        assert read(tmp_path, data) is AigcState.PRESENT


def test_live_stream_without_sizes_is_read(tmp_path: Path) -> None:
    unknown, cluster = (1 << 56) - 1, element(0x1F43B675, element(0xE7, b"\0") * 3, (1 << 56) - 1)
    assert read(tmp_path, mkv(simple_tag(), size=unknown, before=cluster)) is AigcState.PRESENT


def test_parsers_load_nothing_but_metadata(tmp_path: Path) -> None:
    """A gigabyte of sound or clusters, in a sparse file, is stepped over."""
    big = 1 << 30
    for name, head in {
        "a.wav": b"RIFF" + struct.pack("<I", big + 12) + b"WAVE" + struct.pack("<4sI", b"data", big),
        "a.mkv": element(0x1A45DFA3, b"") + element(0x18538067, element(0x1F43B675, b"", big), big + 12),
    }.items():
        path = tmp_path / name
        with path.open("wb") as file:
            file.write(head)
            file.truncate(len(head) + big)
        found = riff.metadata(path) if name == "a.wav" else matroska.tags(path)
        assert found == []


def test_tiff_reads_both_orders() -> None:
    for order in "<>":
        assert [entry.data for entry in tiff.entries(exif(order, (0x9286, 7, COMMENT)))] == [COMMENT]


# ---- other tools --------------------------------------------------------------------------------


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture
def labelled(tmp_path: Path, aigc: AigcLabel) -> dict[str, Path]:
    """A file of every container that is written, with its label."""
    files = {s: muxed(tmp_path / f"clip.{s}", {"AIGC": aigc.to_json()}) for s in CLIPS}
    for suffix in ("mp4", "mov"):
        append_source(files[suffix])
    for suffix, data in (("png", picture(".png")), ("jpg", picture(".jpg")), ("wav", sound())):
        files[suffix] = tmp_path / f"file.{suffix}"
        files[suffix].write_bytes(embed_label(data, aigc))
    return files


def test_exiftool_shows_the_label_in_every_container(labelled: dict[str, Path], aigc: AigcLabel) -> None:
    exiftool = tool("exiftool")
    for suffix, path in labelled.items():
        # -u: a chunk of its own, as in WAV, is unknown to it, and so given as binary data
        command = [exiftool, "-j", "-u", "-b", "-G0", str(path)]
        shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)[0]
        texts = [value for key, value in shown.items() if key.lower().endswith("aigc")]
        assert len(texts) == 1, suffix
        text = str(texts[0])
        if text.startswith("base64:"):
            text = base64.b64decode(text.removeprefix("base64:")).decode()
        assert text.rstrip("\0") == aigc.to_json(), suffix  # it shows the octet that makes a chunk even
        if suffix not in {"mkv", "webm"}:  # they have no place for XMP
            assert shown["XMP:DigitalSourceType"] == SourceType.COMPOSITE


def test_ffprobe_shows_the_label_in_every_clip(labelled: dict[str, Path], aigc: AigcLabel) -> None:
    ffprobe = tool("ffprobe")
    for suffix in CLIPS:
        command = [ffprobe, "-v", "error", "-show_format", "-of", "json", str(labelled[suffix])]
        shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert shown["format"]["tags"]["AIGC"] == aigc.to_json(), suffix
