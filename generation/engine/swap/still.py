"""What a still allows beyond a clip: the target's spectacles are taken off before the face is laid over it.

In a clip they would flicker where they are half found. In a still they are found once, and what a face cannot
cover, the arms at the temples, is filled in from beside.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import BROWS, CHEEKS, EYES, INNER_LIP
from generation.engine.swap.draw import fixed_point, hulls, odd, polygon, square
from generation.engine.swap.portrait import face_width
from generation.engine.types import Image, Plane, Points

Floats = npt.NDArray[np.float32]

_STRANGE = 2.4  # robust deviations from the cheeks: horn and metal lie above, skin and grey hair at 1 to 2
_BRIDGE_WIDTH, _BRIDGE = 160.0, 3.5
"""LAB a pixel, in faces so many pixels wide: 8 and more across spectacles, 1.3 to 1.8 on four bare noses."""
_BEYOND, _OVER, _UNDER = 0.025, 0.015, 0.05  # face widths that an arm is looked for about the temple
_FILL_WIDTH, _FILL_PX = 200.0, 3.0  # face's width at which holes are filled in; radius there
_DOWN, _FINE, _STRAND = 0.11, 0.012, 24.0  # face widths; grey levels
_SHUT = 0.08  # inner lips' height by the mouth's width: below it they touch
_SEAM_WIDE, _SEAM_DARK, _SEAM_SOFT = 0.011, 0.55, 0.16  # of the mouth's width; of the light
_CORNER_FLOOR = 0.72  # of the light about a corner of the mouth
_TEMPLES = ((33, 70, 127), (263, 300, 356))  # outer corner of the eye, end of the brow, edge of the face


def take_off_spectacles(picture: Image, mesh: Points) -> bool:
    """Fill in the rims and arms of spectacles in place; whether there were any.

    ``picture``: (h, w, 3) uint8 BGR; ``mesh``: (468, 3) of the one who wears them.
    """
    width = face_width(mesh)
    low = np.maximum(np.floor(mesh[:, :2].min(0) - 0.1 * width).astype(int), 0)
    high = np.ceil(mesh[:, :2].max(0) + 0.1 * width).astype(int)
    picture = picture[low[1] : high[1], low[0] : high[0]]  # a view: what is filled in is filled in outside
    mesh = mesh - np.array([*low, 0], np.float32)
    strange = _strange(picture, mesh) if picture.size else None
    if strange is None or not _bridged(picture, mesh, width):
        return False
    shape = picture.shape[:2]
    inside = cv2.dilate(
        hulls(shape, mesh, [BROWS[0] + EYES[0], BROWS[1] + EYES[1]]), square(odd(width * 0.08))
    )
    eyes = cv2.dilate(hulls(shape, mesh, EYES), square(odd(width * 0.02)))
    rims = strange & (inside > 0) & (eyes == 0)
    whole = (rims | (strange & (_temples(shape, mesh, width) > 0))).astype(np.uint8)
    whole = np.asarray(cv2.morphologyEx(whole, cv2.MORPH_CLOSE, square(odd(width * 0.02))), np.uint8)
    # what hangs together with a rim is its arm; a cap and the ground beside the head do not
    _, parts = cv2.connectedComponents(whole)
    found = (np.isin(parts, np.unique(parts[rims])) & (whole > 0)).astype(np.uint8)
    found = np.asarray(cv2.dilate(found, square(odd(width * 0.025))), np.uint8)
    _fill(picture, found, width)
    return True


def _fill(picture: Image, found: Plane, width: float) -> None:
    """Inpaint the marked part in place, with the fine texture of what lies below it."""
    x, y, wide, tall = cv2.boundingRect(found)
    pad = round(_DOWN * width) + 8
    rows, columns = (slice(max(0, at - pad), at + size + pad) for at, size in ((y, tall), (x, wide)))
    part, hole = picture[rows, columns], found[rows, columns]
    ratio, size = min(1.0, _FILL_WIDTH / width), part.shape[1::-1]
    less = max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))
    small, gap = cv2.resize(part, less, interpolation=cv2.INTER_AREA), cv2.resize(hole * np.uint8(255), less)
    filled = cv2.inpaint(small, (gap > 0).astype(np.uint8), _FILL_PX, cv2.INPAINT_TELEA)
    filled = np.asarray(cv2.resize(filled, size), np.float32)
    own = part.astype(np.float32)
    fine = np.clip(own - cv2.GaussianBlur(own, (0, 0), _FINE * width), -_STRAND, _STRAND)
    fine[cv2.dilate(hole, square(3)) > 0] = 0
    down = np.array([[1, 0, 0], [0, 1, -_DOWN * width]], np.float32)
    lent = cv2.warpAffine(fine, down, fine.shape[1::-1])
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1.0)[..., None]
    part[:] = np.clip(np.where(hole[..., None] > 0, filled + lent * soft, own) + 0.5, 0, 255).astype(np.uint8)


def shut_lips(mesh: Points) -> Points:
    """The landmarks with lips that nearly touch brought together; others as they are."""
    upper, lower = list(INNER_LIP[1:10]), list(INNER_LIP[:10:-1])
    tall = float(np.linalg.norm(mesh[13, :2] - mesh[14, :2]))
    wide = float(np.linalg.norm(mesh[78, :2] - mesh[308, :2]))
    shut = mesh.astype(np.float32, copy=True)
    if tall <= _SHUT * wide:
        shut[upper] = shut[lower] = (shut[upper] + shut[lower]) / 2
    return shut


def are_shut(mesh: Points) -> bool:
    """Whether the inner lips lie on each other."""
    return bool((mesh[13, :2] == mesh[14, :2]).all())


def shade_seam(picture: Image, mesh: Points) -> None:
    """Draw the line between shut lips, in place: a smile's lips do not bring one along."""
    line = mesh[list(INNER_LIP[:11]), :2]
    wide = float(np.linalg.norm(line[-1] - line[0]))
    pad = int(0.1 * wide) + 2
    x0, y0 = np.maximum(np.floor(line.min(0)).astype(int) - pad, 0)
    part = picture[y0 : int(line[:, 1].max()) + pad, x0 : int(line[:, 0].max()) + pad]
    _lighten_corners(part, line[[0, -1]] - [x0, y0], 0.09 * wide)
    away = np.full(part.shape[:2], 255, np.uint8)
    cv2.polylines(away, [fixed_point(line - [x0, y0])], False, 0, 1, cv2.LINE_AA, 4)
    far = cv2.distanceTransform((away > 127).astype(np.uint8), cv2.DIST_L2, 5)
    deep = np.exp(-((far / max(1.0, _SEAM_WIDE * wide)) ** 2)) * _SEAM_DARK
    # the corners of a smile are dark of their own
    along = np.linspace(x0, x0 + part.shape[1], part.shape[1])
    middle, half = (line[0, 0] + line[-1, 0]) / 2, abs(line[-1, 0] - line[0, 0]) / 2
    deep *= np.clip((half - np.abs(along - middle)) / (0.2 * half), 0.25, 1)
    wider = np.exp(-((far / max(2.0, 4 * _SEAM_WIDE * wide)) ** 2)) * _SEAM_SOFT
    shade = cv2.GaussianBlur(1 - np.maximum(deep, wider), (0, 0), 0.7)[..., None]
    # what lies deeper gets less blue and green: skin scatters red
    part[:] = np.rint(part * np.asarray(shade, np.float32) ** np.array([1.15, 1.15, 0.8], np.float32))


def _lighten_corners(part: Image, corners: Points, reach: float) -> None:
    """Take the dark dots out of the corners, in place: an open smile, pressed together, leaves them."""
    side = int(2 * reach) | 1
    floor = np.asarray(cv2.medianBlur(part, min(side, 31)) * np.float32(_CORNER_FLOOR))
    near = np.zeros(part.shape[:2], np.float32)
    for corner in corners:
        cv2.circle(near, np.round(corner).astype(int).tolist(), int(reach), 1.0, -1)
    weight = cv2.GaussianBlur(near, (0, 0), max(1.0, reach / 4))[..., None]
    lit = np.maximum(part, floor)
    part[:] = np.rint(part + (lit - part) * weight)


def _strange(picture: Image, mesh: Points) -> npt.NDArray[np.bool_] | None:
    """What is far from the cheeks' colour, or much darker; None without cheeks."""
    skin = hulls(picture.shape[:2], mesh, [CHEEKS]) > 0
    if not skin.any():
        return None
    lab = cv2.cvtColor(picture.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2LAB)
    values = lab[skin]
    middle = np.median(values, axis=0)
    spread = np.maximum(np.median(np.abs(values - middle), axis=0) * 1.48, [7, 2.5, 2.5])
    off = (lab - middle) / spread
    far = (off[..., 1:] ** 2).sum(2) + 0.25 * np.minimum(off[..., 0], 0) ** 2
    return np.asarray(far > _STRANGE**2, np.bool_)


def _bridged(picture: Image, mesh: Points, width: float) -> bool:
    """Whether a bar runs across the nose between the eyes: lids and brows have edges, too, but none there."""
    scale = _BRIDGE_WIDTH / width
    left, right = mesh[133, :2], mesh[362, :2]
    across = (right - left) / max(float(np.linalg.norm(right - left)), 1e-6)
    down = np.array([-across[1], across[0]], np.float32)
    middle = (left + right) / 2
    top = float((mesh[[107, 336], :2].mean(0) - middle) @ down)
    size = (
        max(4, round(0.4 * scale * float(np.linalg.norm(right - left)))),
        max(4, round(scale * (float((mesh[197, :2] - middle) @ down) - top))),
    )
    start = middle + down * top - across * (size[0] - 1) / 2 / scale
    onto = np.column_stack([across / scale, down / scale, start]).astype(np.float64)
    smooth = cv2.GaussianBlur(picture, (0, 0), max(0.4, 0.5 / scale))
    seen = cv2.warpAffine(smooth, onto, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    lab = cv2.cvtColor(seen.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2LAB)
    steps = np.abs(cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3)).max(2) / 8
    return float(np.percentile(steps.max(0), 20)) >= _BRIDGE


def _temples(shape: tuple[int, int], mesh: Points, width: float) -> Plane:
    """255 in both bands from the outer corner of an eye to a little beyond the edge of the face."""
    plane = np.zeros(shape, np.uint8)
    across = mesh[263, :2] - mesh[33, :2]
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    down = np.array([-across[1], across[0]], np.float32)
    for (corner, brow, edge), outwards in zip(_TEMPLES, (-1, 1), strict=True):
        near, far = mesh[corner, :2], mesh[edge, :2] + across * outwards * _BEYOND * width
        top = mesh[brow, :2] - down * _OVER * width
        high = float((top - far) @ down)
        low = float((near - far) @ down) + _UNDER * width
        ring = np.array([top, far + down * high, far + down * low, near + down * _UNDER * width])
        plane = np.maximum(plane, polygon(shape, ring.astype(np.float32)))
    return plane
