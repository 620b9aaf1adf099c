from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from generation.engine.media.colour import to_planes
from generation.engine.media.encode import STILL_SCENE, EncodeSettings, open_writer
from generation.engine.media.info import MediaInfo
from generation.engine.media.probe import probe
from tests.generation.engine.media.makers import counter, make_clip, read_counter

SIZE = (128, 96)
IDR = 5


@pytest.fixture
def info(tmp_path: Path) -> MediaInfo:
    return probe(make_clip(tmp_path / "in.mp4", frames=30, size=SIZE))


def encoded(path: Path, info: MediaInfo, *, keys: set[int], settings: EncodeSettings) -> Path:
    step = round(1 / (info.rate * info.time_base))
    with open_writer(path, info=info, settings=settings) as writer:
        for number in range(30):
            writer.write(to_planes(counter(number, SIZE)), number * step, key=number in keys)
    return path


def nal_types(data: bytes) -> list[int]:
    """Types of the units of one packet as MP4 holds it, four octets of length before each."""
    found, at = [], 0
    while at < len(data):
        found.append(data[at + 4] & 31)
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return found


def idr_frames(path: Path) -> set[int]:
    """Numbers, in shown order, of the frames that are IDR."""
    with av.open(str(path)) as opened:
        packets = [packet for packet in opened.demux(video=0) if packet.size]
    shown = sorted(packet.pts or 0 for packet in packets)
    return {shown.index(packet.pts or 0) for packet in packets if IDR in nal_types(bytes(packet))}


@pytest.mark.parametrize("preset", ["ultrafast", "veryfast", "medium"])
def test_frames_that_are_asked_for_are_idr(preset: str, info: MediaInfo, tmp_path: Path) -> None:
    settings = EncodeSettings(preset=preset)

    found = encoded(tmp_path / "out.mp4", info, keys={7, 8, 20}, settings=settings)

    assert idr_frames(found) == {0, 7, 8, 20}


def test_keys_leave_the_parameters_as_they_are(info: MediaInfo, tmp_path: Path) -> None:
    parameters = set()
    for name, keys in (("plain.mp4", set[int]()), ("cut.mp4", {9})):
        with av.open(str(encoded(tmp_path / name, info, keys=keys, settings=EncodeSettings()))) as opened:
            parameters.add(opened.streams.video[0].codec_context.extradata)

    assert len(parameters) == 1


def test_what_lies_between_two_keys_is_decoded_alone(info: MediaInfo, tmp_path: Path) -> None:
    whole = encoded(tmp_path / "out.mp4", info, keys={10, 20}, settings=EncodeSettings(preset="medium"))

    part = tmp_path / "part.mp4"
    with av.open(str(whole)) as old, av.open(str(part), "w") as new:
        target = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        starts = [at for at, packet in enumerate(packets) if packet.is_keyframe]
        for packet in packets[starts[1] : starts[2]]:
            packet.stream = target
            new.mux(packet)

    with av.open(str(part)) as opened:
        pictures = [np.asarray(frame.to_ndarray(format="bgr24")) for frame in opened.decode(video=0)]
    assert [read_counter(picture) for picture in pictures] == list(range(10, 20))


def test_parameters_on_top_of_the_preset_reach_the_encoder(info: MediaInfo, tmp_path: Path) -> None:
    settings = EncodeSettings(params=STILL_SCENE)

    found = encoded(tmp_path / "out.mp4", info, keys={7}, settings=settings).read_bytes()

    said = found[found.index(b"x264 - core") :]
    for option in (b"me=dia", b"subme=1", b"weightp=0", b"b_adapt=0", b"b_pyramid=0", b"open_gop=0"):
        assert option in said[:2000]
    assert idr_frames(tmp_path / "out.mp4") == {0, 7}
