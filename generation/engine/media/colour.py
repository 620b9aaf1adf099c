"""Conversion between decoded frames, BGR pictures and the planes that are encoded.

Input: the matrix and range that the frame carries; unset is BT.709 above 576 lines, else BT.601,
limited range. Output: always 8 bit 4:2:0, BT.709, limited range (Rec. ITU-R BT.709-6, 3 and 4).
"""

from __future__ import annotations

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from generation.engine.types import Image, Plane, Planes

SD_LINES = 576
BT709_MATRIX, UNSET_MATRIX = 1, 2
FULL_RANGE = 2
# Even with ACCURATE_RND swscale darkens by about one level (2.5 without): it serves only the formats that our
# own conversion does not, so that a redrawn face does not show as a step against the untouched rest.
SCALING = Interpolation(Interpolation.BILINEAR | Interpolation.ACCURATE_RND)

_KR, _KB = 0.2126, 0.0722
_LUMA = np.array([_KB, 1 - _KR - _KB, _KR])
_BLUE = np.array([0.5, -_LUMA[1] / (2 - 2 * _KB), -_LUMA[2] / (2 - 2 * _KB)])
_RED = np.array([-_LUMA[0] / (2 - 2 * _KR), -_LUMA[1] / (2 - 2 * _KR), 0.5])
_TO_Y = np.array([[*(_LUMA * 219 / 255), 16]], np.float32)
_TO_UV = np.array([[*(_BLUE * 224 / 255), 128], [*(_RED * 224 / 255), 128]], np.float32)
_INVERSE = np.linalg.inv(np.vstack([_TO_Y[:, :3], _TO_UV[:, :3]]).astype(np.float64))
_TO_BGR = np.column_stack([_INVERSE, -_INVERSE @ (16, 128, 128)]).astype(np.float32)


class Converter:
    """Frames of any format to BGR; one for each thread, because it keeps the scaler's state."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def to_bgr(self, frame: VideoFrame) -> Image:
        """(h, w, 3) uint8 BGR, contiguous and the caller's own."""
        matrix = None
        if int(frame.colorspace) == UNSET_MATRIX:
            matrix = int(Colorspace.ITU709 if frame.height > SD_LINES else Colorspace.ITU601)
        bgr = self._scaler.reformat(
            frame, format="bgr24", src_colorspace=matrix, interpolation=SCALING, threads=1
        )
        return np.ascontiguousarray(bgr.to_ndarray(), dtype=np.uint8)

    def to_planes(self, picture: Image) -> Planes:
        """The encoder's planes of an even-sized BGR picture."""
        return to_planes(picture)


def to_planes(picture: Image) -> Planes:
    """The encoder's planes of an even-sized BGR picture."""
    height, width = picture.shape[:2]
    half = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    y = cv2.transform(picture, _TO_Y).reshape(height, width)
    u, v = cv2.split(cv2.transform(half, _TO_UV))
    return Planes(y=_octets(y), u=_octets(u), v=_octets(v))


def from_planes(planes: Planes) -> Image:
    """The BGR picture that a player shows for these planes."""
    height, width = planes.y.shape
    u, v = (cv2.resize(p, (width, height), interpolation=cv2.INTER_LINEAR) for p in (planes.u, planes.v))
    return _octets(cv2.transform(cv2.merge([planes.y, u, v]), _TO_BGR))


def own_planes(frame: VideoFrame) -> Planes | None:
    """A copy of the frame's planes when they are already what the encoder takes, else None."""
    matrix = int(frame.colorspace)
    fits = matrix == BT709_MATRIX or (matrix == UNSET_MATRIX and frame.height > SD_LINES)
    if not fits or frame.format.name != "yuv420p" or int(frame.color_range) == FULL_RANGE:
        return None
    if frame.width % 2 or frame.height % 2:
        return None
    y, u, v = (view(plane).copy() for plane in frame.planes)
    return Planes(y=y, u=u, v=v)


def redraw(planes: Planes, *, before: Image, after: Image) -> None:
    """Bring the planes of ``before`` to ``after``; what did not change keeps its very samples."""
    height, width = after.shape[:2]
    change = cv2.absdiff(before.reshape(height, -1), after.reshape(height, -1))
    left, top, wide, tall = cv2.boundingRect(change)
    if not wide or not tall:
        return
    x0, x1 = left // 3 // 2 * 2, min(width, -(-(left + wide) // 6) * 2)
    y0, y1 = top // 2 * 2, min(height, -(-(top + tall) // 2) * 2)
    part = to_planes(np.ascontiguousarray(after[y0:y1, x0:x1]))
    planes.y[y0:y1, x0:x1] = part.y
    planes.u[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] = part.u
    planes.v[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] = part.v


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
    lines = flat[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)
    return np.asarray(lines[:, : plane.width])


def _octets(plane: npt.ArrayLike) -> Plane:
    return np.ascontiguousarray(plane, dtype=np.uint8)
