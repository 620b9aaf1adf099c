"""The classical swap: a portrait's face, warped by its mesh onto another, in that one's light.

Work is done at no more than 160 px of face width; only the warp itself and the finest band are of full size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import EYES, INNER_LIP, Triangles
from generation.engine.swap import cover, openings, still
from generation.engine.swap.blend import mix, multiband
from generation.engine.swap.colour import detail_share, match_colour, match_grain, match_sharpness
from generation.engine.swap.portrait import Level, face_width, prepare
from generation.engine.swap.shape import ShapeTransfer
from generation.engine.swap.warp import Warp, backward, read
from generation.engine.types import Image, Points

Floats = npt.NDArray[np.float32]

_PAD = 0.15
_SMALLEST_ROI = 32
_STEPS = 4080.0  # sixteenths of a grey level
_FADE_FROM_DEG, _FADE_TO_DEG = 30.0, 40.0


@dataclass(frozen=True, slots=True)
class SwapResult:
    """What became of one face; ``strength`` 0 means that the frame was not touched.

    ``coverage``: mean of the mask over the face's core; below .6 something covers the face, or the portrait.
    """

    yaw_relative_deg: float
    coverage: float
    strength: float


@dataclass(frozen=True, slots=True)
class _Roi:
    """A part of the frame, and the size at which it is worked on."""

    full: Image
    offset: Points
    size: tuple[int, int]

    def to_work(self, points: Points) -> Points:
        ratio = np.array(self.size, np.float32) / np.array(self.full.shape[1::-1], np.float32)
        moved: Points = ((points[:, :2] - self.offset + 0.5) * ratio - 0.5).astype(np.float32)
        return moved


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a face is laid over another.

    ``width``: of the face at the working size; ``kept``: openings whose inside stays the target's; ``edge``:
    face widths that the mask is drawn in by; ``eyes``: how much of their own light the portrait's eyes keep:
    matched like skin, a pupil turns grey.
    """

    width: float
    levels: int
    edge: float
    kept: tuple[tuple[int, ...], ...]
    eyes: float
    texture: Callable[[Floats, Floats, npt.NDArray[np.bool_]], Floats]


_CLIP = _Manner(160.0, 3, 0.05, openings.OPENINGS, 0.0, match_sharpness)
_STILL = _Manner(400.0, 4, 0.035, (INNER_LIP,), 0.6, match_grain)


class MeshSwapper:
    """One for each portrait; ``swap`` may be called from several threads."""

    def __init__(
        self, source: Image, mesh: Points, triangles: Triangles, *, shape_strength: float = 0.8
    ) -> None:
        self._source = prepare(source, mesh)
        self._shape = ShapeTransfer(mesh, triangles, strength=shape_strength)
        self._triangles = triangles
        self._own_eyes = cover.openness(mesh)

    @property
    def portrait(self) -> tuple[Image, Points]:
        """The portrait's face, (h, w, 3) uint8 BGR, and its (468, 3) landmarks there."""
        corner = np.array([*self._source.corner, 0], np.float32)
        return self._source.levels[0].picture, (self._source.mesh - corner).astype(np.float32)

    def swap(self, frame: Image, mesh: Points) -> SwapResult:
        """Write the portrait's face over the one with these landmarks, in place.

        ``mesh``: (468, 3) of the target. Beyond 40 degrees between portrait and target nothing is written;
        from 30 degrees on it fades.
        """
        target, yaw_deg = self._shape.fit(mesh)
        return self._swap(frame, mesh, target, yaw_deg, _CLIP)

    def swap_still(self, frame: Image, mesh: Points) -> SwapResult:
        """As ``swap``, for a picture that is to be driven: slower, and with more of the portrait in it.

        The eyes are the portrait's own, spectacles are taken off, and lips that nearly touch are shut.
        """
        shut = still.shut_lips(mesh)
        target, yaw_deg = self._shape.fit_still(shut)
        closed, work = still.are_shut(shut), frame.copy()
        if abs(yaw_deg) < _FADE_TO_DEG:
            still.take_off_spectacles(work, mesh)
        result = self._swap(work, shut, target, yaw_deg, _STILL)
        if result.strength > 0:
            if closed:
                still.shade_seam(work, target)
            frame[:] = work
        return result

    def _swap(
        self, frame: Image, mesh: Points, target: Points, yaw_deg: float, manner: _Manner
    ) -> SwapResult:
        strength = float(np.clip((_FADE_TO_DEG - abs(yaw_deg)) / (_FADE_TO_DEG - _FADE_FROM_DEG), 0, 1))
        roi = _roi(frame, mesh, target, width=manner.width) if strength > 0 else None
        if roi is None:
            return SwapResult(yaw_deg, 0.0, 0.0)
        coverage = self._write(roi, mesh, target, strength, manner)
        return SwapResult(yaw_deg, coverage, strength if coverage > 0 else 0.0)

    def _write(self, roi: _Roi, mesh: Points, target: Points, strength: float, manner: _Manner) -> float:
        level = self._source.level_for(face_width(mesh))
        shape = roi.size[1], roi.size[0]
        warp = backward(roi.to_work(target), level.mesh, self._triangles, shape)
        front = _warped(level, warp, roi.full.shape[1::-1])
        openings.keep(
            front,
            roi.full,
            mesh=mesh[:, :2] - roi.offset,
            moved=target - roi.offset,
            width=face_width(mesh),
            rings=manner.kept,
        )
        local = roi.to_work(mesh)
        back_small = _shrink(roi.full, roi.size)
        front_small = _shrink(front, roi.size)
        front_small[~warp.inside] = back_small[~warp.inside]
        mask, skin, coverage = self._mask(local, level, warp, back_small, manner.edge)
        if coverage <= 0:
            return 0.0
        finished = manner.texture(
            _relight(front_small, back_small, skin, face_width(local)), back_small, skin
        )
        own = openings.openings_mask(shape, roi.to_work(target), face_width(local), rings=manner.kept)
        if manner.eyes > 0:
            eyes = openings.openings_mask(shape, roi.to_work(target), face_width(local), rings=EYES)
            own = np.maximum(own, manner.eyes * eyes).astype(np.float32)
        finished = mix(front_small, finished, own)
        mask *= strength
        change = multiband(finished, back_small, mask, levels=manner.levels) - back_small
        _compose(roi.full, front, change, mask, front_small, back_small)
        return coverage

    def _mask(
        self, mesh: Points, level: Level, warp: Warp, back: Floats, edge: float
    ) -> tuple[Floats, npt.NDArray[np.bool_], float]:
        """The mask, the target's skin and the mean of the mask in the core."""
        width = face_width(mesh)
        core, mask = cover.core_and_edge(warp.inside.shape, mesh, warp.inside, inset=edge)
        skin = cover.skin_of(core, mesh)
        if not skin.any():
            return mask, skin, 0.0
        sure = read(level.confidence, warp.where, border=cv2.BORDER_CONSTANT)
        trust = cv2.GaussianBlur(warp.trust, (0, 0), max(0.5, width * 0.03)) * (sure.astype(np.float32) / 255)
        mask *= np.clip(trust * 1.3, 0, 1)
        lab = cv2.cvtColor(back, cv2.COLOR_BGR2LAB).astype(np.float32, copy=False)
        mask *= 1 - cover.occlusion(lab, skin, mesh)
        coverage = float(mask[core > 128].mean())
        cover.spare_blinks(mask, mesh, own=self._own_eyes)
        return mask, skin, coverage


def _roi(frame: Image, mesh: Points, target: Points, *, width: float) -> _Roi | None:
    low = np.minimum(target.min(0), mesh[:, :2].min(0))
    high = np.maximum(target.max(0), mesh[:, :2].max(0))
    pad = _PAD * float((high - low).max())
    x0, y0 = np.maximum(0, np.floor(low - pad)).astype(int)
    x1, y1 = np.minimum(frame.shape[1::-1], np.ceil(high + pad)).astype(int)
    if x1 - x0 < _SMALLEST_ROI or y1 - y0 < _SMALLEST_ROI:
        return None
    ratio = min(1.0, width / max(face_width(mesh), 1.0))
    size = max(_SMALLEST_ROI, round((x1 - x0) * ratio)), max(_SMALLEST_ROI, round((y1 - y0) * ratio))
    return _Roi(frame[y0:y1, x0:x1], np.array([x0, y0], np.float32), size)


def _warped(level: Level, warp: Warp, size: tuple[int, int]) -> Image:
    """The portrait, warped, at the target's full size."""
    where = warp.where
    if size != where.shape[1::-1]:
        where = cv2.resize(_grow(where, warp.inside), size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return read(level.picture, where, border=cv2.BORDER_REPLICATE)


def _grow(where: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
    """The map, continued a little beyond its edge, so that it can be enlarged."""
    weight = inside.astype(np.float32)
    known = where * weight[..., None]
    near = cv2.boxFilter(weight, -1, (3, 3), normalize=False)
    mean = cv2.boxFilter(known, -1, (3, 3), normalize=False) / np.maximum(near, 1)[..., None]
    return np.where(inside[..., None], where, mean).astype(np.float32)


def _shrink(picture: Image, size: tuple[int, int]) -> Floats:
    small = (
        picture if picture.shape[1::-1] == size else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    )
    return small.astype(np.float32) / np.float32(255)


def _relight(front: Floats, back: Floats, skin: npt.NDArray[np.bool_], width: float) -> Floats:
    lab_front = cv2.cvtColor(front, cv2.COLOR_BGR2LAB).astype(np.float32, copy=False)
    lab_back = cv2.cvtColor(back, cv2.COLOR_BGR2LAB).astype(np.float32, copy=False)
    matched = match_colour(lab_front, lab_back, skin, face_width=width)
    return np.clip(cv2.cvtColor(matched, cv2.COLOR_LAB2BGR), 0, 1).astype(np.float32, copy=False)


def _compose(
    full: Image, front: Image, change: Floats, mask: Floats, front_small: Floats, back_small: Floats
) -> None:
    """Add the change to the frame, and in the mask exchange the band that is finer than the working size."""
    size = full.shape[1::-1]
    if size == mask.shape[1::-1]:
        cv2.add(full, change * 255, dst=full, dtype=cv2.CV_8U)
        return
    share = detail_share(front, full)
    coarse = _enlarged((share * front_small - back_small) * _STEPS, size)
    fine = cv2.addWeighted(front, share * _STEPS / 255, full, -_STEPS / 255, 0, dtype=cv2.CV_16S)
    cv2.subtract(fine, coarse, dst=fine)
    wide = _enlarged(mask * _STEPS, size)
    cv2.multiply(fine, cv2.merge([wide, wide, wide]), dst=fine, scale=1 / _STEPS)
    cv2.add(fine, _enlarged(change * _STEPS, size), dst=fine)
    cv2.addWeighted(full, 1, fine, 255 / _STEPS, 0, dst=full, dtype=cv2.CV_8U)


def _enlarged(field: Floats, size: tuple[int, int]) -> npt.NDArray[np.int16]:
    """A field of whole numbers at full size; two bytes a value keep it fast."""
    return np.asarray(cv2.resize(field.astype(np.int16), size, interpolation=cv2.INTER_LINEAR), np.int16)
