"""Luma planes of a file, a bounded number spread over it: key frames first, they keep the mark best.

Pictures and clips of any depth, range and colour are given as 8-bit luma, turned as a viewer shows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.stream import Disposition

from watermark.errors import UnreadableError

Plane = npt.NDArray[np.uint8]
"""(h, w) uint8, luma in the range of the file."""

PIXELS_MAX = 8192 * 8192
"""A larger picture is refused before it is decoded: 64 MiB of luma."""
KEYS_MAX = 24
RUN_MAX = 2000
"""Frames that are decoded at most to reach one; a minute of a clip with a single key frame."""
STRIDE_MAX = 4
_COVER = Disposition.attached_pic
_NOTHING: Plane = np.zeros((0, 0), np.uint8)
# No playlists and no network: a file can name other files only in formats that are not listed here.
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,webm,avi,mpegts,mpeg,flv,ogg,gif,image2,"
    "png_pipe,jpeg_pipe,jpegls_pipe,webp_pipe,bmp_pipe,tiff_pipe",
}
_LUMA_FIRST = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"} | {
    "yuva420p",  # the layers of colour are as they are, whatever the alpha says
}


def spread(path: Path, limit: int) -> Iterator[tuple[Plane, bool, float]]:
    """Up to ``limit`` frames, each with whether it is a key frame, and its second; key frames come first.

    Raises:
        UnreadableError: nothing can be decoded.
    """
    with _opened(path) as (container, stream):
        starts: list[int | None] = list(_evenly(_key_times(stream), min(KEYS_MAX, limit)))
        given = 0
        for time in starts:
            for frame in _run(container, stream, time, skip=0, stride=1, count=1):
                yield _luma(frame), True, float(frame.time or 0.0)
                given += 1
        starts = starts or [None]  # no index: play from the start
        each = -(-(limit - given) // len(starts))
        stride = _stride(container, stream, len(starts) * each)
        for time in starts:
            skip = 0 if time is None else stride
            count = min(each, limit - given)
            for frame in _run(container, stream, time, skip=skip, stride=stride, count=count):
                yield _luma(frame), False, float(frame.time or 0.0)
                given += 1
        if not given:
            raise UnreadableError(f"{path.name} has no frame that can be decoded.")


def probe(path: Path) -> None:
    """Make sure that there is a picture to decode.

    Raises:
        UnreadableError: there is none.
    """
    next(spread(path, 1))


def first_middle_last(path: Path, *, until_s: float = 0.0) -> list[Plane]:
    """Three frames of a clip (or the one picture, three times), in presentation order.

    ``until_s``: of the clip up to there; 0 is to its end.

    Raises:
        UnreadableError: nothing can be decoded.
    """
    planes = []
    with _opened(path) as (container, stream):
        start, length = stream.start_time or 0, _length(container, stream)
        if not length:
            return [_only(path, container, stream)] * 3
        if until_s:
            length = min(length, int(Fraction(until_s) / stream.time_base))
        for at in (start, start + length // 2, start + length):
            luma = _frame_at(container, stream, at)
            if luma is None:
                raise UnreadableError(f"{path.name} has no frame at {float(at * stream.time_base):.2f} s.")
            planes.append(luma)
    return planes


def sampled(path: Path, count: int) -> list[tuple[float, Plane]]:
    """(seconds, luma) of up to ``count`` frames, evenly over a clip; key frames where there are enough.

    Raises:
        UnreadableError: nothing can be decoded.
    """
    found: dict[float, Plane] = {}
    with _opened(path) as (container, stream):
        base, start = stream.time_base or Fraction(1, 25), stream.start_time or 0
        keys = _key_times(stream)
        times = _evenly(keys, count)
        if len(times) < min(count, 3):
            times = [start + (stream.duration or 0) * at // count for at in range(count)]
        for time in times if keys else []:
            luma = _frame_at(container, stream, time)
            if luma is not None:
                found[float((time - start) * base)] = luma
        if not keys:  # a picture, or a clip without an index
            found[0.0] = next(_from(container, stream, None, skip=0, stride=1, count=1), _NOTHING)
    found = {second: luma for second, luma in found.items() if luma.size}
    if not found:
        raise UnreadableError(f"{path.name} has no frame that can be decoded.")
    return sorted(found.items(), key=lambda pair: pair[0])


def first_picture(path: Path) -> npt.NDArray[np.uint8]:
    """(h, w, 3) uint8, BGR: the first frame of a clip, or the picture.

    Raises:
        UnreadableError: nothing can be decoded.
    """
    with _opened(path) as (container, stream):
        for frame in container.decode(stream):
            return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    raise UnreadableError(f"{path.name} has no frame that can be decoded.")


def timed(path: Path, step_s: float = 1.0) -> Iterator[tuple[float, Plane]]:
    """(seconds, luma) of one frame per step, played in order.

    Raises:
        UnreadableError: nothing can be decoded.
    """
    with _opened(path) as (container, stream):
        due = 0.0
        for frame in container.decode(stream):
            seconds = float(frame.time or 0.0)
            if seconds + 1e-6 >= due:
                due = (seconds // step_s + 1) * step_s
                yield seconds, _luma(frame)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        with av.open(str(path), options=_OPTIONS, metadata_errors="replace") as container:
            stream = next((each for each in container.streams.video if not each.disposition & _COVER), None)
            if stream is None:
                raise UnreadableError(f"{path.name} has no video or picture stream.")
            context: Any = stream.codec_context
            if context is None or not 0 < context.width * context.height <= PIXELS_MAX:
                raise UnreadableError(f"{path.name} has no picture size, or more than {PIXELS_MAX} pixels.")
            context.options = {"max_pixels": str(PIXELS_MAX)}  # a frame may be larger than its header says
            yield container, stream
    except (av.error.FFmpegError, OSError) as error:
        raise UnreadableError(f"{path.name} cannot be decoded: {error.strerror or error}.") from error


def _only(path: Path, container: Any, stream: Any) -> Plane:
    luma = next(_from(container, stream, None, skip=0, stride=1, count=1), None)
    if luma is None:
        raise UnreadableError(f"{path.name} has no frame that can be decoded.")
    return luma


def _length(container: Any, stream: Any) -> int:
    """How long the stream is, in its time base; 0 for a picture."""
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        return 0
    whole = Fraction(container.duration or 0, av.time_base) / (stream.time_base or Fraction(1, 25))
    return int(stream.duration or whole)


def _key_times(stream: Any) -> list[int]:
    return [entry.timestamp for entry in stream.index_entries if entry.is_keyframe]


def _evenly(times: list[int], count: int) -> list[int]:
    if len(times) <= count:
        return times
    return [times[at * len(times) // count] for at in range(count)]


def _stride(container: Any, stream: Any, wanted: int) -> int:
    """Step through a group of pictures so that the frames of a run lie apart."""
    rate, base = stream.average_rate or Fraction(25), stream.time_base or Fraction(1, 25)
    frames = stream.frames or int(_length(container, stream) * base * rate)
    return max(1, min(STRIDE_MAX, frames // max(1, wanted)))


def _from(
    container: Any, stream: Any, time: int | None, *, skip: int, stride: int, count: int
) -> Iterator[Plane]:
    """Luma of ``count`` frames from a key frame on."""
    for frame in _run(container, stream, time, skip=skip, stride=stride, count=count):
        yield _luma(frame)


def _run(
    container: Any, stream: Any, time: int | None, *, skip: int, stride: int, count: int
) -> Iterator[Any]:
    """``count`` frames from a key frame on."""
    if count <= 0:
        return
    if time is not None:
        container.seek(time, stream=stream)
    given = 0
    for at, frame in enumerate(container.decode(stream)):
        if at >= skip and (at - skip) % stride == 0:
            yield frame
            given += 1
            if given == count:
                return


def _frame_at(container: Any, stream: Any, time: int) -> Plane | None:
    """The last frame that begins at or before a time, or the first one there is."""
    long = bool(_length(container, stream))
    begins = _begins(container, stream, time) if long else None
    shown = None if begins is None else _alone(container, stream, time, begins)
    if shown is None:
        if long:
            container.seek(time, stream=stream)
        for frame in islice(container.decode(stream), RUN_MAX):
            if shown is not None and frame.pts is not None and frame.pts > time:
                break
            shown = frame
    return None if shown is None else _luma(shown)


def _begins(container: Any, stream: Any, time: int) -> int | None:
    """When that frame begins, from the times of the packets alone; None when they do not tell."""
    container.seek(time, stream=stream)
    found: int | None = None
    for packet in islice(container.demux(stream), RUN_MAX):
        if not packet.size or (packet.dts is not None and packet.dts > time):
            return found
        if packet.pts is None:
            return None
        if packet.pts <= time and not packet.is_discard:
            found = packet.pts if found is None else max(found, packet.pts)
    return None


def _alone(container: Any, stream: Any, time: int, begins: int) -> Any | None:
    """That frame; of those before it only what others refer to is decoded, a quarter to a half of them."""
    container.seek(time, stream=stream)
    context = stream.codec_context
    try:
        for packet in islice(container.demux(stream), RUN_MAX):
            context.skip_frame = "DEFAULT" if packet.pts == begins else "NONREF"
            for frame in packet.decode():
                if frame.pts == begins:
                    return frame
    finally:
        context.skip_frame = "DEFAULT"
    return None


def _luma(frame: Any) -> Plane:
    """8-bit luma, turned as a viewer shows it; a flip is left, the search tries both."""
    if frame.format.name in _LUMA_FIRST:
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        luma = rows[: frame.height, : frame.width]
    else:
        luma = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
    return np.array(np.rot90(luma, round(frame.rotation / 90)), np.uint8, order="C")
