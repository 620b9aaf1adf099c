"""A short performer clip made from one portrait: the head moves, turns and blinks; and a tone as its sound.

It is a sample to run the platform on, not an animation engine: small angles, one plane of depth, no speech.
Everything is a function of the frame's time, so two runs give the same frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import EYES, LOWER_LIDS, UPPER_LIDS, Triangles
from generation.engine.swap.openings import soft_polygon
from generation.engine.swap.portrait import face_width
from generation.engine.swap.warp import backward, read
from generation.engine.types import Image, Points

Floats = npt.NDArray[np.float32]

# Time in the six-second cycle, then yaw, pitch, roll in degrees and x, y in face widths.
_KEYS = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.00, 0.00],
        [1.1, 13.0, -1.5, 1.5, 0.05, -0.01],
        [2.2, 1.0, 4.5, -0.5, 0.00, 0.02],
        [3.4, -14.0, 0.0, -2.5, -0.06, 0.00],
        [4.7, -2.0, -3.0, 1.0, 0.02, -0.02],
        [6.0, 0.0, 0.0, 0.0, 0.00, 0.00],
    ]
)
_CYCLE_S = 6.0
_BLINKS_S = (0.7, 2.6, 4.3)
_CLOSING_S, _SHUT_S, _OPENING_S = 0.10, 0.05, 0.16
_BLINK_STEPS = 8
_GRID = 4  # the warp is smooth: it is made at a quarter of the size


@dataclass(frozen=True, slots=True)
class _Stage:
    """The still picture and what moves on it; grids are at a quarter of its size."""

    still: tuple[Image, ...]
    depth: Floats
    weight: Floats
    pivot: npt.NDArray[np.float64]
    width: float


def performer_frames(
    portrait: Image,
    mesh: Points,
    triangles: Triangles,
    *,
    width: int = 1280,
    height: int = 720,
    fps: float = 25,
    seconds: float = 6.0,
) -> Iterator[Image]:
    """(height, width, 3) uint8 BGR frames of a portrait that moves; ``mesh``: (468, 3) of the portrait."""
    stage = _stage(portrait, mesh, triangles, width, height)
    for index in range(round(fps * seconds)):
        yield _frame(stage, index / fps)


def tone(seconds: float, rate: int = 48000) -> npt.NDArray[np.int16]:
    """(n,) int16 mono: a quiet chord that swells and fades."""
    time = np.arange(round(seconds * rate)) / rate
    chord = sum(
        np.sin(2 * np.pi * pitch * time) / (1 + number) for number, pitch in enumerate((220.0, 277.2, 329.6))
    )
    swell = 0.75 + 0.25 * np.sin(2 * np.pi * 0.5 * time - np.pi / 2)
    ends = np.clip(np.minimum(time, time[::-1]) / 0.25, 0, 1) if len(time) else time
    return np.asarray(np.round(chord * swell * ends * 0.12 * 32767), np.int16)


def _stage(portrait: Image, mesh: Points, triangles: Triangles, width: int, height: int) -> _Stage:
    scale = height / portrait.shape[0]
    left = (width - portrait.shape[1] * scale) / 2
    placed = mesh * np.float32(scale) + np.array([left, 0, 0], np.float32)
    picture = _set_scene(portrait, width, height)
    steps = (number / _BLINK_STEPS for number in range(_BLINK_STEPS + 1))
    still = tuple(_close_eyes(picture, placed, triangles, closed) for closed in steps)
    across = face_width(placed)
    chin, forehead = placed[152], placed[10]
    pivot = np.array([chin[0], chin[1] + 0.15 * across, placed[:, 2].max() + 0.15 * across], np.float64)
    depth = _depth(placed, width, height, across)
    middle = (chin[:2] + forehead[:2]) / 2 - np.array([0, 0.15 * across])
    return _Stage(still, depth, _head(middle, width, height, across), pivot, across)


def _set_scene(portrait: Image, width: int, height: int) -> Image:
    """The portrait in the middle of a wider picture, its sides running out into its own soft colours."""
    across = round(portrait.shape[1] * height / portrait.shape[0])
    sharp = np.asarray(cv2.resize(portrait, (across, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    tall = round(width * portrait.shape[0] / portrait.shape[1])
    wide = cv2.resize(portrait, (width, tall), interpolation=cv2.INTER_LINEAR)
    top = max(0, (tall - height) // 4)
    scene = cv2.GaussianBlur(wide[top : top + height], (0, 0), width / 40).astype(np.float32)
    if scene.shape[0] < height:
        scene = cv2.resize(scene, (width, height)).astype(np.float32)
    left = (width - across) // 2
    if left < 0:
        cropped: Image = sharp[:, -left : -left + width].copy()
        return cropped
    ramp = np.clip(np.minimum(np.arange(across), np.arange(across)[::-1]) / (0.14 * across), 0, 1)
    ease = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)[None, :, None]
    middle = scene[:, left : left + across]
    middle += (sharp.astype(np.float32) - middle) * ease
    return np.asarray(np.clip(scene + 0.5, 0, 255), np.uint8)


def _close_eyes(picture: Image, mesh: Points, triangles: Triangles, closed: float) -> Image:
    """The picture with its lids drawn down; what shows between them is the eye, not squeezed."""
    if closed == 0:
        return picture
    moved = mesh[:, :2].copy()
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        moved[list(upper)] += (mesh[list(lower), :2] - mesh[list(upper), :2]) * np.float32(closed * 0.96)
    shut = picture.copy()
    for eye in EYES:
        ring = mesh[list(eye), :2]
        pad = 0.6 * float(np.ptp(ring[:, 0]))
        x0, y0 = np.maximum(np.floor(ring.min(0) - pad), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(ring.max(0) + pad), picture.shape[1::-1]).astype(int)
        offset = np.array([x0, y0], np.float32)
        shape = int(y1 - y0), int(x1 - x0)
        warp = backward(moved - offset, mesh[:, :2], triangles, shape)
        skin = read(picture, warp.where, border=cv2.BORDER_REPLICATE).astype(np.float32)
        own = picture[y0:y1, x0:x1].astype(np.float32)
        skin[~warp.inside] = own[~warp.inside]
        open_part = soft_polygon(shape, moved[list(eye)] - offset, face_width(mesh))[..., None] * (1 - closed)
        shut[y0:y1, x0:x1] = np.clip(skin + (own - skin) * open_part + 0.5, 0, 255).astype(np.uint8)
    return shut


def _depth(mesh: Points, width: int, height: int, across: float) -> Floats:
    """Depth at a quarter of the size: the mesh's, running out to that of its edge."""
    size = width // _GRID, height // _GRID
    total, count = np.zeros(size[::-1], np.float32), np.zeros(size[::-1], np.float32)
    columns = np.clip(mesh[:, 0] / _GRID, 0, size[0] - 1).astype(int)
    rows = np.clip(mesh[:, 1] / _GRID, 0, size[1] - 1).astype(int)
    np.add.at(total, (rows, columns), mesh[:, 2])
    np.add.at(count, (rows, columns), 1)
    sigma = across / _GRID * 0.06
    edge = float(np.percentile(mesh[:, 2], 95))
    rest = 0.02
    near = cv2.GaussianBlur(total, (0, 0), sigma) + rest * 0.05 * edge
    soft = near / (cv2.GaussianBlur(count, (0, 0), sigma) + rest * 0.05)
    return np.asarray(cv2.GaussianBlur(soft, (0, 0), sigma), np.float32)


def _head(middle: npt.NDArray[np.float32], width: int, height: int, across: float) -> Floats:
    """1 on the head, easing to 0 at the shoulders and in the background; at a quarter of the size."""
    rows, columns = np.mgrid[0 : height // _GRID, 0 : width // _GRID].astype(np.float32) * _GRID
    radius = np.hypot((columns - middle[0]) / (0.75 * across), (rows - middle[1]) / (0.95 * across))
    fall = np.clip((2.0 - radius) / 1.1, 0, 1)
    return np.asarray(fall * fall * (3 - 2 * fall), np.float32)


def _frame(stage: _Stage, time_s: float) -> Image:
    motion = _motion(time_s)
    rows, columns = np.mgrid[0 : stage.depth.shape[0], 0 : stage.depth.shape[1]].astype(np.float32)
    x, y = columns * _GRID + (_GRID - 1) / 2, rows * _GRID + (_GRID - 1) / 2
    shift = _shift(stage, motion, x, y)
    # One step of the fixed point turns the forward motion into a backward map.
    back = np.dstack([(x - shift[..., 0]) / _GRID, (y - shift[..., 1]) / _GRID]).astype(np.float32)
    shift = np.dstack([_read_float(shift[..., axis], back) for axis in (0, 1)])
    height, width = stage.still[0].shape[:2]
    wide = cv2.resize(shift, (width, height), interpolation=cv2.INTER_CUBIC)
    full_rows, full_columns = np.mgrid[0:height, 0:width].astype(np.float32)
    where = np.dstack([full_columns, full_rows]) - wide
    still = stage.still[round(_closed(time_s) * _BLINK_STEPS)]
    return read(still, where.astype(np.float32), border=cv2.BORDER_REFLECT)


def _read_float(plane: Floats, where: Floats) -> Floats:
    """A float plane's values where a map points."""
    first, second = np.ascontiguousarray(where[..., 0]), np.ascontiguousarray(where[..., 1])
    return np.asarray(
        cv2.remap(plane, first, second, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def _shift(stage: _Stage, motion: npt.NDArray[np.float64], x: Floats, y: Floats) -> Floats:
    """(h, w, 2): how far each point moves when the head does."""
    rotation = _rotation(*np.radians(motion[:3]))
    dx, dy, dz = x - stage.pivot[0], y - stage.pivot[1], stage.depth - stage.pivot[2]
    moved_x = rotation[0, 0] * dx + rotation[0, 1] * dy + rotation[0, 2] * dz + motion[3] * stage.width
    moved_y = rotation[1, 0] * dx + rotation[1, 1] * dy + rotation[1, 2] * dz + motion[4] * stage.width
    return (np.dstack([moved_x - dx, moved_y - dy]) * stage.weight[..., None]).astype(np.float32)


def _rotation(yaw: float, pitch: float, roll: float) -> npt.NDArray[np.float64]:
    """Depth grows away from the camera: a positive yaw moves the nose to the picture's right."""
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    turned: npt.NDArray[np.float64] = about_z @ about_x @ about_y
    return turned


def _motion(time_s: float) -> npt.NDArray[np.float64]:
    """Yaw, pitch, roll, x, y: eased between the keys, with a little sway."""
    time = time_s % _CYCLE_S
    after = int(np.searchsorted(_KEYS[:, 0], time, side="right").clip(1, len(_KEYS) - 1))
    first, second = _KEYS[after - 1], _KEYS[after]
    part = (time - first[0]) / (second[0] - first[0])
    ease = part * part * (3 - 2 * part)
    sway = 0.4 * np.sin(2 * np.pi * time * np.array([2, 3, 1, 0, 0]) / _CYCLE_S)
    eased: npt.NDArray[np.float64] = first[1:] + (second[1:] - first[1:]) * ease + sway
    return eased


def _closed(time_s: float) -> float:
    """How far the lids are closed, 0..1."""
    time = time_s % _CYCLE_S
    for start in _BLINKS_S:
        since = time - start
        if 0 <= since < _CLOSING_S:
            return float(np.sin(np.pi / 2 * since / _CLOSING_S))
        since -= _CLOSING_S
        if 0 <= since < _SHUT_S:
            return 1.0
        since -= _SHUT_S
        if 0 <= since < _OPENING_S:
            return float(np.cos(np.pi / 2 * since / _OPENING_S))
    return 0.0
