"""Reads a video's index and first frame, in the guarded child; see ``guarded``.

Imports neither numpy nor OpenCV, so that the child stays small.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import av
import av.container
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from generation.engine.errors import TooLargeError, UnreadableMediaError, UnsupportedMediaError
from generation.engine.media.info import AudioInfo, Keyframe, MediaInfo, MediaLimits
from generation.engine.media.opening import open_media, picture_stream

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
MATRICES = frozenset({0, 1, 2, 4, 5, 6, 7, 9})  # RGB and the YCbCr matrices that swscale converts
ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
SAME_STEP = (
    0.02  # share of the mean step by which a frame's time may differ in a constant rate (1 ms at 20 fps)
)


@dataclass(slots=True)
class Index:
    """Every shown packet's time, as stored; ``keys`` are the times of keyframes."""

    pts: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    last_duration: int = 0
    repaired: int = 0


def scan_video(path: Path, container: str, limits: MediaLimits) -> MediaInfo:
    """What the file holds; every packet's time is read, one frame is decoded.

    Raises:
        UnreadableMediaError: cut off, no frames, no picture.
        TooLargeError: pixels, duration, frame rate or streams over the limit.
        UnsupportedMediaError: HDR, an unknown matrix or geometry.
    """
    with open_media(path, container) as opened:
        if len(opened.streams) > limits.streams:
            raise TooLargeError("The number of streams", value=len(opened.streams), limit=limits.streams)
        stream = picture_stream(opened, pixels=limits.pixels)
        index, first = _read_packets(opened, stream, limits)
        if not index.pts:
            raise UnreadableMediaError("The file has no frames.")
        if first is None:
            raise UnreadableMediaError("No frame of the file can be decoded.")
        return _describe(path, container, opened, stream, index, first, limits)


def _read_packets(
    opened: av.container.InputContainer, stream: VideoStream, limits: MediaLimits
) -> tuple[Index, VideoFrame | None]:
    """The times of all packets, and the first frame; packets are not decoded after it."""
    index, first = Index(), None
    time_base = stream.time_base or Fraction(1, 1000)
    step = max(1, round(1 / ((stream.guessed_rate or Fraction(25)) * time_base)))
    most = int(limits.duration_s * limits.fps) + 1
    for packet in opened.demux(stream):
        if first is None:
            first = _first_frame(packet)
        if packet.size == 0 or packet.is_discard:
            continue
        _add_packet(index, packet, step)
        if len(index.pts) > most:
            raise TooLargeError("The number of frames", value=len(index.pts), limit=most)
    return index, first


def _first_frame(packet: Packet[VideoStream]) -> VideoFrame | None:
    try:
        frames = packet.decode()
    except av.InvalidDataError:
        return None  # a broken packet before the first good one; the count of frames tells in the end
    return frames[0] if frames else None


def _add_packet(index: Index, packet: Packet[VideoStream], step: int) -> None:
    pts = packet.pts if packet.pts is not None else packet.dts
    if pts is None:
        pts = index.pts[-1] + step if index.pts else 0
    index.repaired += packet.pts is None
    index.pts.append(pts)
    index.last_duration = packet.duration or step
    if packet.is_keyframe:
        index.keys.append(pts)


def _describe(
    path: Path,
    container: str,
    opened: av.container.InputContainer,
    stream: VideoStream,
    index: Index,
    frame: VideoFrame,
    limits: MediaLimits,
) -> MediaInfo:
    _check_frame(stream, frame)
    time_base = stream.time_base or Fraction(1, 1000)
    times = sorted(index.pts)
    length = times[-1] - times[0] + index.last_duration
    duration_s = float(length * time_base)
    if duration_s > limits.duration_s:
        raise TooLargeError("The duration in seconds", value=duration_s, limit=limits.duration_s)
    mean = len(times) / (length * time_base) if length else Fraction(25)
    if mean > limits.fps:
        raise TooLargeError("The frame rate", value=float(mean), limit=limits.fps)
    rate, variable = _rate(stream, times, mean)
    depth = max(c.bits for c in frame.format.components)
    return MediaInfo(
        container=container,
        size_bytes=path.stat().st_size,
        codec=stream.codec_context.codec.canonical_name,
        width_px=frame.width,
        height_px=frame.height,
        orientation=orientation_of(frame),
        time_base=time_base,
        start_pts=times[0],
        duration_s=duration_s,
        frame_count=len(times),
        rate=rate,
        variable_rate=variable,
        pixel_format=frame.format.name,
        bit_depth=depth,
        colour_space=int(frame.colorspace),
        full_range=int(frame.color_range) == 2 or frame.format.name.startswith("yuvj"),
        interlaced=frame.interlaced_frame,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        keyframes=tuple(Keyframe(k, bisect_left(times, k)) for k in sorted(set(index.keys))),
        audio=_audio(opened),
        notes=(*_notes(index, stream, frame, depth), *_left_out(opened)),
    )


def _check_frame(stream: VideoStream, frame: VideoFrame) -> None:
    transfer = int(frame.color_trc)
    if transfer in HDR_TRANSFERS:
        raise UnsupportedMediaError(f"The picture is HDR ({HDR_TRANSFERS[transfer]}).")
    if int(frame.colorspace) not in MATRICES:
        raise UnsupportedMediaError(f"The picture's colour matrix {int(frame.colorspace)} is not known here.")
    if (frame.width, frame.height) != (stream.width, stream.height):
        raise UnsupportedMediaError("The picture's size changes inside the file.")


def orientation_of(frame: VideoFrame) -> int:
    """The frame's display matrix as an EXIF orientation.

    Raises:
        UnsupportedMediaError: the matrix is no turn by a multiple of 90 degrees.
    """
    data = cast(Any, frame).side_data.get("DISPLAYMATRIX")  # the stub knows motion vectors only
    if data is None:
        return 1
    a, b, _, c, d = struct.unpack("<5i", bytes(data)[:20])
    signs = tuple(0 if abs(n) < 64 else (n > 0) - (n < 0) for n in (a, b, c, d))
    if signs not in ORIENTATIONS:
        raise UnsupportedMediaError("The picture is turned by an angle that is no multiple of 90 degrees.")
    return ORIENTATIONS[signs]


def _rate(stream: VideoStream, times: list[int], mean: Fraction) -> tuple[Fraction, bool]:
    """The nominal rate, and whether the steps between frames really vary."""
    steps = [b - a for a, b in pairwise(times)]
    if not steps:
        return (stream.guessed_rate or mean).limit_denominator(1001), False
    average = sum(steps) / len(steps)
    variable = any(abs(s - average) > max(1, SAME_STEP * average) for s in steps)
    nominal = stream.guessed_rate or mean
    if abs(nominal - mean) > mean / 50:  # some files claim 90000 or 1000 frames a second
        nominal = mean
    return nominal.limit_denominator(1001), variable


def _audio(opened: av.container.InputContainer) -> AudioInfo | None:
    if not opened.streams.audio:
        return None
    stream = opened.streams.audio[0]
    if stream.codec_context is None:
        return AudioInfo("unknown", 0, 0, decodable=False)
    return AudioInfo(
        stream.codec_context.codec.canonical_name, stream.rate or 0, stream.channels or 0, decodable=True
    )


def _left_out(opened: av.container.InputContainer) -> list[str]:
    """What of the file does not go into an output."""
    streams = opened.streams
    counts = {
        "further picture": len(streams.video) - 1,
        "further sound": len(streams.audio) - 1,
        "subtitle": len(streams.subtitles),
    }
    return [f"{n} {kind} stream{'s' * (n > 1)} left out." for kind, n in counts.items() if n > 0]


def _notes(index: Index, stream: VideoStream, frame: VideoFrame, depth: int) -> list[str]:
    notes = []
    if index.repaired:
        notes.append(f"{index.repaired} frames had no presentation time; it was taken from their order.")
    if depth > 8:
        notes.append(f"The picture was converted from {depth} to 8 bit.")
    if frame.interlaced_frame:
        notes.append("The picture was deinterlaced.")
    if frame.width % 2 or frame.height % 2:
        notes.append("The picture was padded to an even size by one row or column.")
    beside = any(key.lower() == "alpha_mode" for key in stream.metadata)  # the decoder of VP9 drops it
    if beside or any(c.is_alpha for c in frame.format.components):
        notes.append("The picture's transparency was dropped.")
    if (stream.sample_aspect_ratio or 1) != 1:
        notes.append("The picture's pixels are not square; the output keeps their shape.")
    return notes
