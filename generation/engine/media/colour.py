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

BT709_WEIGHTS, BT601_WEIGHTS = (0.2126, 0.0722), (0.299, 0.114)  # of red and blue in luma
BT601_MATRICES = frozenset({5, 6})


def _yuv_of_bgr(red: float, blue: float) -> npt.NDArray[np.float32]:
    """(3, 4): limited-range Y, U, V of 8 bit B, G, R, with the offset in the last column."""
    luma = np.array([blue, 1 - red - blue, red])
    u = (np.array([1.0, 0, 0]) - luma) / (2 - 2 * blue)
    v = (np.array([0, 0, 1.0]) - luma) / (2 - 2 * red)
    scaled = np.stack([luma * 219, u * 224, v * 224]) / 255
    return np.column_stack([scaled, (16, 128, 128)]).astype(np.float32)


def _bgr_of_yuv(red: float, blue: float) -> npt.NDArray[np.float32]:
    """(3, 4): the inverse."""
    forward = _yuv_of_bgr(red, blue).astype(np.float64)
    inverse = np.linalg.inv(forward[:, :3])
    return np.column_stack([inverse, -inverse @ forward[:, 3]]).astype(np.float32)


_TO_YUV = _yuv_of_bgr(*BT709_WEIGHTS)
_FROM_709, _FROM_601 = _bgr_of_yuv(*BT709_WEIGHTS), _bgr_of_yuv(*BT601_WEIGHTS)


class Converter:
    """Frames of any format to BGR; one for each thread, because it keeps the scaler's state."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def to_bgr(self, frame: VideoFrame) -> Image:
        """(h, w, 3) uint8 BGR, contiguous and the caller's own."""
        known = _plain_matrix(frame)
        if known is not None:
            return _to_bgr(_copied(frame), known)
        matrix = None
        if int(frame.colorspace) == UNSET_MATRIX:
            matrix = int(Colorspace.ITU709 if frame.height > SD_LINES else Colorspace.ITU601)
        bgr = self._scaler.reformat(
            frame, format="bgr24", src_colorspace=matrix, interpolation=SCALING, threads=1
        )
        return np.ascontiguousarray(bgr.to_ndarray(), dtype=np.uint8)


def to_planes(picture: Image) -> Planes:
    """The encoder's planes of an even-sized BGR picture."""
    height, width = picture.shape[:2]
    half = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    y = cv2.transform(picture, _TO_YUV[:1]).reshape(height, width)
    u, v = cv2.split(cv2.transform(half, _TO_YUV[1:]))
    return Planes(y=_octets(y), u=_octets(u), v=_octets(v))


def from_planes(planes: Planes) -> Image:
    """The BGR picture that a player shows for these planes."""
    return _to_bgr(planes, _FROM_709)


def own_planes(frame: VideoFrame) -> Planes | None:
    """A copy of the frame's planes when they are already what the encoder takes, else None."""
    return _copied(frame) if _plain_matrix(frame) is _FROM_709 else None


def seen_planes(frame: VideoFrame) -> Planes | None:
    """The same without a copy: the frame's own memory, which the decoder still refers to; only to be read."""
    return _viewed(frame) if _plain_matrix(frame) is _FROM_709 else None


def _plain_matrix(frame: VideoFrame) -> npt.NDArray[np.float32] | None:
    """The way to BGR for an even-sized, limited-range, 8 bit 4:2:0 frame; None for any other."""
    if frame.format.name != "yuv420p" or int(frame.color_range) == FULL_RANGE:
        return None
    if frame.width % 2 or frame.height % 2:
        return None
    matrix = int(frame.colorspace)
    if matrix == UNSET_MATRIX:
        return _FROM_709 if frame.height > SD_LINES else _FROM_601
    if matrix == BT709_MATRIX:
        return _FROM_709
    return _FROM_601 if matrix in BT601_MATRICES else None


def _copied(frame: VideoFrame) -> Planes:
    y, u, v = (view(plane).copy() for plane in frame.planes)
    return Planes(y=y, u=u, v=v)


def _viewed(frame: VideoFrame) -> Planes:
    planes = [view(plane) for plane in frame.planes]
    for plane in planes:
        plane.flags.writeable = False
    y, u, v = planes
    return Planes(y=y, u=u, v=v)


def _to_bgr(planes: Planes, matrix: npt.NDArray[np.float32]) -> Image:
    height, width = planes.y.shape
    u, v = (cv2.resize(p, (width, height), interpolation=cv2.INTER_LINEAR) for p in (planes.u, planes.v))
    return _octets(cv2.transform(cv2.merge([planes.y, u, v]), matrix))


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
