"""Frames of a video in the order they are shown, upright, even-sized, 8 bit BGR.

- Frames are counted from a keyframe whose number is known; a chunk gets exactly its own frames or fails.
- Memory: the codec's own frames and one picture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from generation.engine.errors import UnreadableMediaError, UnsupportedMediaError
from generation.engine.media import image
from generation.engine.media.chunks import ChunkSpan, whole
from generation.engine.media.colour import Converter, from_planes, own_planes, seen_planes, to_planes
from generation.engine.media.geometry import pad_even, turn
from generation.engine.media.info import Keyframe, MediaInfo, MediaLimits
from generation.engine.media.opening import CODEC_THREADS, open_media, picture_stream
from generation.engine.types import Image, Planes

LIMITS = MediaLimits()


@dataclass(frozen=True, slots=True)
class Frame:
    """One shown frame; ``pts`` in the input's time base, ``time_s`` from its first frame."""

    index: int
    pts: int
    time_s: float
    picture: Image
    planes: Planes | None
    """The same picture as the encoder takes it, where the input has it so; else None."""
    warm: bool
    """True for a frame before the chunk, which is tracked but not written."""


def read_frames(
    path: Path, info: MediaInfo, span: ChunkSpan, *, limits: MediaLimits = LIMITS
) -> Generator[Frame]:
    """The frames of ``span``, led by up to ``span.warm_frames`` warm ones.

    Raises:
        UnreadableMediaError: the file ends or breaks inside the span; names the last good time.
        UnsupportedMediaError: size or transfer changes inside the file.
    """
    if info.still:
        picture = pad_even(image.decode_image(path.read_bytes(), limits=limits))
        yield Frame(index=0, pts=0, time_s=0.0, picture=picture, planes=None, warm=False)
        return
    converter = Converter()
    for index, pts, shown in _of_span(path, info, span, limits):
        planes = own_planes(shown)
        picture = _upright(converter, shown, planes, info)
        yield Frame(
            index=index,
            pts=pts,
            time_s=float((pts - info.start_pts) * info.time_base),
            picture=picture,
            planes=planes if info.orientation == 1 else None,
            warm=index < span.first_frame,
        )


def read_planes(
    path: Path, info: MediaInfo, span: ChunkSpan, *, limits: MediaLimits = LIMITS
) -> Generator[Planes]:
    """The frames of ``span`` as the encoder takes them, none of them warm, only to be read; errors as above.

    What is stored so is neither converted nor copied. One thread decodes: two cost a third more at 1080p.
    """
    if info.still:
        for frame in read_frames(path, info, span, limits=limits):
            yield to_planes(frame.picture)
        return
    converter = Converter()
    for index, _, shown in _of_span(path, info, span, limits, threads=1):
        if index < span.first_frame:
            continue
        planes = seen_planes(shown) if info.orientation == 1 else None
        yield planes if planes is not None else to_planes(_upright(converter, shown, None, info))


def _of_span(
    path: Path, info: MediaInfo, span: ChunkSpan, limits: MediaLimits, *, threads: int = CODEC_THREADS
) -> Iterator[tuple[int, int, VideoFrame]]:
    """Number, time and frame from the first warm one on; all of the span, or an error."""
    end = span.first_frame + span.frames
    wanted = span.first_frame
    last_s = 0.0
    with open_media(path, info.container) as opened:
        for index, pts, shown in _numbered(opened, info, span.seek, limits, threads):
            if index >= end:
                break
            if index < span.first_frame - span.warm_frames:
                continue
            last_s = float((pts - info.start_pts) * info.time_base)
            wanted += index >= span.first_frame
            yield index, pts, shown
    if wanted != end:
        raise UnreadableMediaError(
            f"The picture breaks off after {last_s:.3f} s: {end - wanted} of {span.frames} frames are "
            "missing."
        )


def frames_at(
    path: Path, info: MediaInfo, times_s: Sequence[float], *, limits: MediaLimits = LIMITS
) -> Iterator[Frame]:
    """For each of these rising times the first frame from then on, or the last one; each frame once.

    Raises:
        UnreadableMediaError: nothing can be decoded there.
    """
    if info.still:
        yield from read_frames(path, info, whole(info), limits=limits)
        return
    converter = Converter()
    with open_media(path, info.container) as opened:
        stream = picture_stream(opened, pixels=limits.pixels)
        for index, pts, frame in _chosen(opened, stream, info, sorted(times_s)):
            picture = _upright(converter, frame, own_planes(frame), info)
            time_s = float((pts - info.start_pts) * info.time_base)
            yield Frame(index=index, pts=pts, time_s=time_s, picture=picture, planes=None, warm=False)


def _chosen(
    opened: av.container.InputContainer, stream: VideoStream, info: MediaInfo, times_s: Sequence[float]
) -> Iterator[tuple[int, int, VideoFrame]]:
    """Number, time and frame for each time; jumps to the keyframe before it where that is ahead."""
    if len(times_s) == 1 and (found := _alone(opened, stream, info, times_s[0])) is not None:
        yield found
        return
    shown: Iterator[tuple[int, VideoFrame]] = iter(())
    at: tuple[int, int, VideoFrame] | None = None
    given = -1
    for time_s in times_s:
        wanted, start = _place(info, time_s)
        if at is None or start.pts > at[1]:
            opened.seek(start.pts, stream=stream)
            shown = _shown(opened, stream, info, start.pts)
            at = _next(shown, start.first_frame)
        while at is not None and at[1] < wanted:
            following = _next(shown, at[0] + 1)
            if following is None:
                break
            at = following
        if at is None:
            raise UnreadableMediaError(f"No frame can be decoded at {time_s:.3f} s.")
        if at[0] > given:
            given = at[0]
            yield at


def _alone(
    opened: av.container.InputContainer, stream: VideoStream, info: MediaInfo, time_s: float
) -> tuple[int, int, VideoFrame] | None:
    """The same for one time, if packets tell it; before it only what others refer to is decoded."""
    wanted, start = _place(info, time_s)
    opened.seek(start.pts, stream=stream)
    times: list[int] = []
    found: int | None = None
    for packet in opened.demux(stream):
        if not packet.size or (found is not None and packet.dts is not None and packet.dts > found):
            break
        if packet.pts is None:
            return None
        times.append(packet.pts)
        if packet.pts >= wanted and not packet.is_discard:
            found = packet.pts if found is None else min(found, packet.pts)
    context: Any = stream.codec_context
    opened.seek(start.pts, stream=stream)
    for packet in opened.demux(stream) if found is not None else ():
        context.skip_frame = "DEFAULT" if packet.pts == found else "NONREF"
        for frame in packet.decode():
            if frame.pts == found and found is not None and not frame.interlaced_frame:
                _check(frame, info)
                return start.first_frame + sum(start.pts <= time < found for time in times), found, frame
    context.skip_frame = "DEFAULT"
    return None


def _place(info: MediaInfo, time_s: float) -> tuple[int, Keyframe]:
    """A time in the file's time base, and the keyframe from which it is reached."""
    wanted = info.start_pts + round(Fraction(time_s) / info.time_base)
    before = [k for k in info.keyframes if k.pts <= wanted]
    return wanted, before[-1] if before else Keyframe(info.start_pts, 0)


def _next(shown: Iterator[tuple[int, VideoFrame]], index: int) -> tuple[int, int, VideoFrame] | None:
    found = next(shown, None)
    return (index, *found) if found else None


def _upright(converter: Converter, frame: VideoFrame, planes: Planes | None, info: MediaInfo) -> Image:
    picture = from_planes(planes) if planes else converter.to_bgr(frame)
    return pad_even(turn(picture, info.orientation))


def _numbered(
    opened: av.container.InputContainer,
    info: MediaInfo,
    seek: Keyframe | None,
    limits: MediaLimits,
    threads: int,
) -> Iterator[tuple[int, int, VideoFrame]]:
    """Number, repaired time and frame, in shown order, from the keyframe on."""
    stream = picture_stream(opened, pixels=limits.pixels)
    stream.codec_context.thread_count = threads
    start = seek or Keyframe(info.start_pts, 0)
    shown = _shown(opened, stream, info, start.pts)
    if seek:
        opened.seek(seek.pts, stream=stream)
        first = next(shown, None)
        if first is None or first[0] != seek.pts:  # the file's index is off: count from its start
            opened.seek(info.start_pts, stream=stream)
            start = Keyframe(info.start_pts, 0)
            shown = _shown(opened, stream, info, start.pts)
        else:
            yield seek.first_frame, *first
            start = Keyframe(seek.pts, seek.first_frame + 1)
    for index, (pts, frame) in enumerate(shown, start.first_frame):
        yield index, pts, frame


def _shown(
    opened: av.container.InputContainer, stream: VideoStream, info: MediaInfo, start_pts: int
) -> Iterator[tuple[int, VideoFrame]]:
    """Frames from ``start_pts`` on, with strictly rising times; deinterlaced where they are interlaced."""
    step = max(1, round(1 / (info.rate * info.time_base)))
    last: int | None = None
    for frame in _deinterlaced(_decoded(opened, stream), stream):
        _check(frame, info)
        pts = frame.pts if frame.pts is not None else frame.dts
        if pts is None:
            pts = start_pts if last is None else last + step
        if pts < start_pts:
            continue
        pts = pts if last is None else max(pts, last + 1)
        last = pts
        yield pts, frame


def _decoded(opened: av.container.InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in opened.demux(stream):
        yield from packet.decode()


def _deinterlaced(frames: Iterator[VideoFrame], stream: VideoStream) -> Iterator[VideoFrame]:
    """Frames with their lines of the other field rebuilt (bwdif), from the first interlaced one on."""
    graph: Graph | None = None
    for frame in frames:
        if graph is None and frame.interlaced_frame:
            graph = _bwdif(stream)
        if graph is None:
            yield frame
            continue
        graph.vpush(frame)
        yield from _pulled(graph, stream)
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph, stream)


def _bwdif(stream: VideoStream) -> Graph:
    graph = Graph()
    source = graph.add_buffer(template=stream, time_base=stream.time_base)
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    return graph


def _pulled(graph: Graph, stream: VideoStream) -> Iterator[VideoFrame]:
    """What the filter has ready; it counts in halves of the time base."""
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        if frame.pts is not None and frame.time_base and stream.time_base:
            frame.pts = round(Fraction(frame.pts) * frame.time_base / stream.time_base)
            frame.time_base = stream.time_base
        yield frame


def _check(frame: VideoFrame, info: MediaInfo) -> None:
    if (frame.width, frame.height) != (info.width_px, info.height_px):
        raise UnsupportedMediaError("The picture's size changes inside the file.")
    if int(frame.color_trc) in (16, 18):
        raise UnsupportedMediaError("The picture turns HDR inside the file.")
