"""Writing the output: H.264 in MP4 for a chunk of a video, PNG for a picture.

- Every chunk of a job gets the same encoder parameters and starts with an IDR frame in closed GOPs, so that
  ``join`` can put them together by stream copy.
- A frame may be asked to be a key frame: what lies between two of them can be cut out by stream copy.
- A chunk's times start at zero; its true start is kept in a tag.
- The file appears under its name when it is whole; anything else leaves nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Protocol, Self

import av
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from generation.engine.errors import EncodeError
from generation.engine.media.colour import from_planes, to_frame
from generation.engine.media.image import encode_png
from generation.engine.media.info import MediaInfo
from generation.engine.media.opening import CODEC_THREADS
from generation.engine.types import Planes

START_TAG = "likeness.start_pts"
TIME_BASE_TAG = "likeness.time_base"
BT709 = 1
LIMITED = 1


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """x264's preset and quality, and the longest distance between keyframes in frames.

    ``params``: x264's own parameters on top of the preset's, ``name=value`` joined by colons.
    """

    preset: str = "veryfast"
    crf: int = 20
    gop: int = 120
    params: str = ""


STILL_SCENE = "subme=1:me=dia:weightp=0:b-adapt=0:b-pyramid=none"
"""For ``veryfast`` where the camera stands still and one person speaks: a plain search finds as much there.

Marked presenter, 1080p, crf 20: 9.6 instead of 15.3 ms CPU a frame, as many octets, PSNR .3 dB higher, the
invisible mark read as well (z 70 from the file, 13 after half size and CRF 28). What would save more costs
the mark (``aq-mode=0``: z 55) or octets (``superfast``: three times as many).
"""


class Writer(Protocol):
    """Takes the frames of one chunk; leaving the ``with`` block finishes the file, an error removes it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, planes: Planes, pts: int, *, key: bool = False) -> None:
        """Add one frame; ``pts`` in the input's time base, rising. ``key``: it starts a closed group."""


def open_writer(path: Path, *, info: MediaInfo, settings: EncodeSettings) -> Writer:
    """The writer for what ``info`` describes: a video's chunk, or a picture."""
    return StillWriter(path) if info.still else VideoWriter(path, info=info, settings=settings)


class VideoWriter:
    """One chunk as H.264 in MP4, ``info.output_size_px`` large, in the input's time base."""

    format, muxing = "mp4", MappingProxyType({"movflags": "use_metadata_tags"})

    def __init__(self, path: Path, *, info: MediaInfo, settings: EncodeSettings) -> None:
        self._path = path
        self._part = part_of(path)
        self._time_base = info.time_base
        self._start: int | None = None
        try:
            self._container = av.open(str(self._part), "w", format=self.format, options=dict(self.muxing))
        except (av.FFmpegError, OSError) as error:
            raise EncodeError(f"The output cannot be opened: {_plain(error)}.") from error
        self._stream = self._add_stream(info, settings)

    def _add_stream(self, info: MediaInfo, settings: EncodeSettings) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=info.rate)
        stream.width, stream.height = info.output_size_px
        stream.pix_fmt = "yuv420p"
        context: Any = stream.codec_context
        context.time_base = info.time_base
        context.gop_size = settings.gop
        context.color_range, context.colorspace = LIMITED, BT709
        context.color_primaries, context.color_trc = BT709, BT709
        context.thread_count = CODEC_THREADS
        context.sample_aspect_ratio = 1 / info.pixel_aspect if info.orientation >= 5 else info.pixel_aspect
        context.options = {
            "preset": settings.preset,
            "crf": str(settings.crf),
            "x264-params": ":".join(filter(None, ("open-gop=0", settings.params))),
        }
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._close()
            self._part.unlink(missing_ok=True)

    def write(self, planes: Planes, pts: int, *, key: bool = False) -> None:
        """Add one frame; ``pts`` in the input's time base, rising.

        ``key``: it becomes an IDR frame, which nothing after it refers past.

        Raises:
            EncodeError: the encoder or the disk failed.
        """
        if self._start is None:
            self._start = pts
            self._container.metadata.update({START_TAG: str(pts), TIME_BASE_TAG: str(self._time_base)})
        frame = self._frame(planes)
        frame.pts, frame.time_base = pts - self._start, self._time_base
        frame.colorspace, frame.color_range = BT709, LIMITED
        if key:
            frame.pict_type = PictureType.I  # x264 makes it IDR, because groups are closed
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise EncodeError(f"The output cannot be written: {_plain(error)}.") from error

    def _frame(self, planes: Planes) -> VideoFrame:
        return to_frame(planes)

    def _finish(self) -> None:
        if self._start is None:
            raise EncodeError("The chunk has no frames.")
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise EncodeError(f"The output cannot be finished: {_plain(error)}.") from error
        os.replace(self._part, self._path)

    def _close(self) -> None:
        """Let go of the file; what it says now does not matter, it is gone or already whole."""
        try:
            self._container.close()
        except (av.FFmpegError, OSError, ValueError):
            return


class StillWriter:
    """One picture as PNG: what a player would show for the planes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = part_of(path)
        self._written = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._written:
            os.replace(self._part, self._path)
        self._part.unlink(missing_ok=True)
        if kind is None and not self._written:
            raise EncodeError("The picture has no frame.")

    def write(self, planes: Planes, pts: int, *, key: bool = False) -> None:
        """Write the picture; its time means nothing."""
        del pts, key
        if self._written:
            raise EncodeError("A picture has one frame.")
        try:
            self._part.write_bytes(encode_png(from_planes(planes)))
        except OSError as error:
            raise EncodeError(f"The output cannot be written: {_plain(error)}.") from error
        self._written = True


def part_of(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(path.name + ".part")


def _plain(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".")
