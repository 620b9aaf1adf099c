"""Conversion between decoded frames, BGR pictures and the planes that are encoded.

Input: the matrix and range that the frame carries; unset is BT.709 above 576 lines, else BT.601,
limited range.
Output: always 8 bit 4:2:0, BT.709, limited range.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from generation.engine.types import Image, Plane, Planes

SD_LINES = 576
UNSET_MATRIX = 2
# Without ACCURATE_RND swscale truncates: white came back as (255, 255, 253), mean error 2.3 instead of 1.4.
SCALING = Interpolation(Interpolation.BILINEAR | Interpolation.ACCURATE_RND)


class Converter:
    """Frame to BGR to planes; one for each thread, because it keeps the scaler's state."""

    def __init__(self) -> None:
        self._in = VideoReformatter()
        self._out = VideoReformatter()

    def to_bgr(self, frame: VideoFrame) -> Image:
        """(h, w, 3) uint8 BGR, contiguous and the caller's own."""
        matrix = None
        if int(frame.colorspace) == UNSET_MATRIX:
            matrix = int(Colorspace.ITU709 if frame.height > SD_LINES else Colorspace.ITU601)
        bgr = self._in.reformat(
            frame, format="bgr24", src_colorspace=matrix, interpolation=SCALING, threads=1
        )
        return np.ascontiguousarray(bgr.to_ndarray(), dtype=np.uint8)

    def to_planes(self, picture: Image) -> Planes:
        """The encoder's planes of an even-sized BGR picture."""
        frame = self._out.reformat(
            av.VideoFrame.from_ndarray(picture, "bgr24"),
            format="yuv420p",
            dst_colorspace=int(Colorspace.ITU709),
            dst_color_range=int(ColorRange.MPEG),
            interpolation=SCALING,
            threads=1,
        )
        y, u, v = (np.ascontiguousarray(view(plane)) for plane in frame.planes)
        return Planes(y=y, u=u, v=v)

    def from_planes(self, planes: Planes) -> Image:
        """The BGR picture that a player shows for these planes."""
        frame = self._in.reformat(
            to_frame(planes),
            format="bgr24",
            src_colorspace=int(Colorspace.ITU709),
            src_color_range=int(ColorRange.MPEG),
            interpolation=SCALING,
            threads=1,
        )
        return np.ascontiguousarray(frame.to_ndarray(), dtype=np.uint8)


def to_frame(planes: Planes) -> VideoFrame:
    """A new frame that holds a copy of the planes."""
    height, width = planes.y.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for target, source in zip(frame.planes, (planes.y, planes.u, planes.v), strict=True):
        view(target)[:] = source
    return frame


def view(plane: VideoPlane) -> Plane:
    """The plane's picture without the padding of its lines; writes go to the frame."""
    flat = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]  # a buffer, known so from 3.12 only
    return np.asarray(
        flat[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)[:, : plane.width]
    )
