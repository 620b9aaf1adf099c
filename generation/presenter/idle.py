"""Whether a clip can be a performer's idle loop: every frame is looked at, every reason has its number.

Wanted are 10 to 20 seconds of one person who looks into the camera with the lips closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.cuts import CutFinder
from generation.engine.faces.filter import OneEuro
from generation.engine.faces.landmarks import Landmarks, Region
from generation.engine.faces.models import FaceModels
from generation.engine.faces.pose import head_pose
from generation.engine.faces.topology import LID_GAPS
from generation.engine.types import Detection, Image, Points
from generation.presenter.errors import IdleRejectedError
from generation.presenter.puppet.geometry import aperture, eye_centres

Floats = npt.NDArray[np.float32]

SURE = 0.5
"""Score from which a detection counts as a face; a star pattern scored .44 to .66, walls stay below."""
PRESENCE = 0.5
OPEN = 0.07
"""Eye distances between the lips: the network reads up to .07 off lips that visibly meet."""
SHUT = 0.12  # of an eye's width between its lids
LINES = 1080
GLANCE_EVERY, FULL_LOOK_EVERY = 3, 9
"""Frames from one detection to the next, at half the area and at the whole; landmarks are read in each."""
THUMB = 64, 36


@dataclass(frozen=True, slots=True)
class IdleLimits:
    """What a clip must hold; shares are of its frames.

    ``eyes_apart_px``: when the clip is drawn 1080 lines tall, and never more than its own pixels.
    """

    shortest_s: float = 10.0
    longest_s: float = 20.0
    eyes_apart_px: float = 80.0
    face_lost: float = 0.0
    several_faces: float = 0.01
    mouth_open: float = 0.02
    eyes_shut: float = 0.25
    turned_deg: float = 12.0
    cuts: float = 0.0


_AT_LEAST = {"seconds": "shortest_s", "eyes_apart_px": "eyes_apart_px"}
_AT_MOST = {
    "too_long_s": "longest_s",
    "face_lost": "face_lost",
    "several_faces": "several_faces",
    "mouth_open": "mouth_open",
    "eyes_shut": "eyes_shut",
    "yaw_deg": "turned_deg",
    "pitch_deg": "turned_deg",
    "roll_deg": "turned_deg",
    "cuts": "cuts",
}
"""Measure -> its limit."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one frame shows; ``mesh``: (468, 3) of its one face, None when there is not exactly one.

    ``thumb``: (36, 64) float32, luma; ``cut``: another scene begins here.
    """

    faces: int
    mesh: Points | None
    thumb: Floats
    cut: bool = False


class Watcher(Protocol):
    """Looks at the frames of one clip, in order."""

    def see(self, picture: Image) -> Sight:
        """What this frame shows."""


class FaceWatcher:
    """The starter set's detector and landmarks: about 14 ms CPU a frame."""

    def __init__(self, models: FaceModels) -> None:
        self._models = models
        self._cuts = CutFinder()
        self._last: Points | None = None
        self._at = -1

    def see(self, picture: Image) -> Sight:
        """See ``Watcher``."""
        self._at += 1
        cut, thumb = self._cuts.is_cut(picture), thumbnail(picture)
        followed = None if cut or self._last is None else self._follow(picture, self._last)
        if followed is not None and self._at % GLANCE_EVERY:
            self._last = followed.mesh
            return Sight(1, followed.mesh, thumb, cut)
        found = self._faces(picture)
        seen = self._marks(picture, found[0], followed) if len(found) == 1 else None
        self._last = seen.mesh if seen is not None and seen.presence >= PRESENCE else None
        faces = len(found) if self._last is not None or len(found) != 1 else 0
        return Sight(faces, self._last, thumb, cut)

    def _faces(self, picture: Image) -> list[Detection]:
        if self._at % FULL_LOOK_EVERY:
            found = _sure(self._models.glance.detect(picture))
            if len(found) == 1:
                return found
        return _sure(self._models.detector.detect(picture))

    def _follow(self, picture: Image, last: Points) -> Landmarks | None:
        seen = self._models.landmarks.measure(picture, Region.of_mesh(last))
        return seen if seen.presence >= PRESENCE else None

    def _marks(self, picture: Image, found: Detection, followed: Landmarks | None) -> Landmarks:
        """What was followed, where it lies in what was found; else the landmarks are looked for anew."""
        if followed is not None:
            middle = followed.mesh[:, :2].mean(0)
            if (found.box[:2] < middle).all() and (middle < found.box[2:]).all():
                return followed
        return self._models.landmarks.settle(picture, found)


@dataclass(frozen=True, slots=True)
class Study:
    """An accepted clip, by frame: ``meshes`` (n, 468, 3) float32, smoothed; ``thumbs`` (n, 36, 64)."""

    meshes: Points
    thumbs: Floats
    measures: Mapping[str, float]


def examine(
    pictures: Iterable[Image], *, watcher: Watcher, fps: int, limits: IdleLimits | None = None
) -> Study:
    """Look at every frame of a clip.

    Raises:
        IdleRejectedError: with every failed check and its number.
        ModelOutputError: a network gave NaN.
    """
    limits = limits or IdleLimits()
    sights: list[Sight] = []
    height = 0
    for picture in pictures:
        height = picture.shape[0]
        sights.append(watcher.see(picture))
        if len(sights) > limits.longest_s * fps:
            break
    measures = _measured(sights, fps=fps, height=height)
    if failed := _failed(measures, limits):
        told = ", ".join(f"{name} {value:.3g} ({bound})" for name, (value, bound) in failed.items())
        numbers = {name: value for name, (value, _) in failed.items()}
        raise IdleRejectedError(f"The clip cannot be an idle loop: {told}.", failed=numbers)
    return Study(smoothed(_meshes(sights), fps=fps), np.stack([each.thumb for each in sights]), measures)


def _measured(sights: list[Sight], *, fps: int, height: int) -> dict[str, float]:
    count = max(1, len(sights))
    seconds = len(sights) / fps
    measures = {
        "seconds": seconds,
        "too_long_s": seconds,
        "face_lost": sum(each.faces == 0 for each in sights) / count,
        "several_faces": sum(each.faces > 1 for each in sights) / count,
        "cuts": float(sum(each.cut for each in sights)),
    }
    meshes = [each.mesh for each in sights if each.mesh is not None]
    if not meshes:
        return measures
    poses = [head_pose(mesh) for mesh in meshes]
    drawn = min(1.0, LINES / max(1, height))  # a clip is never drawn sharper than it is
    return measures | {
        "eyes_apart_px": float(np.median([_eyes_apart(mesh) for mesh in meshes])) * drawn,
        "mouth_open": float(np.mean([aperture(mesh) > OPEN for mesh in meshes])),
        "eyes_shut": float(np.mean([_eyes_open(mesh) < SHUT for mesh in meshes])),
        # 98 of 100 frames: one wrong reading is no turned head
        "yaw_deg": float(np.percentile([abs(each.yaw_deg) for each in poses], 98)),
        "pitch_deg": float(np.percentile([abs(each.pitch_deg) for each in poses], 98)),
        "roll_deg": float(np.percentile([abs(each.roll_deg) for each in poses], 98)),
    }


def _failed(measures: Mapping[str, float], limits: IdleLimits) -> dict[str, tuple[float, str]]:
    failed = {}
    for name, limit in _AT_LEAST.items():
        least = getattr(limits, limit)
        if not measures.get(name, 0.0) >= least:  # nan fails, too
            failed[name] = measures.get(name, 0.0), f"at least {least:g}"
    for name, limit in _AT_MOST.items():
        most = getattr(limits, limit)
        if not measures.get(name, 0.0) <= most:
            failed[name] = measures[name], f"at most {most:g}"
    return failed


def _meshes(sights: list[Sight]) -> Points:
    """(n, 468, 3): those of every frame; one that shows a second face for a moment has those before it."""
    last = next(each.mesh for each in sights if each.mesh is not None)
    out = []
    for each in sights:
        last = each.mesh if each.mesh is not None else last
        out.append(last)
    return np.stack(out)


def _sure(found: tuple[Detection, ...]) -> list[Detection]:
    return [each for each in found if each.score >= SURE]


def _eyes_apart(mesh: Points) -> float:
    left, right = eye_centres(np.asarray(mesh[:, :2], np.float64))
    return float(np.linalg.norm(right - left))


def _eyes_open(mesh: Points) -> float:
    """The wider open one of both: half a blink is no shut eye."""
    gaps = [
        np.linalg.norm(mesh[top, :2] - mesh[bottom, :2]) / (np.linalg.norm(mesh[a, :2] - mesh[b, :2]) + 1e-6)
        for top, bottom, a, b in LID_GAPS
    ]
    return float(max(gaps))


def smoothed(meshes: Points, *, fps: int) -> Points:
    """(n, 468, 3): without jitter, and without lag: the mean of the filter run forwards and backwards."""
    forwards = np.stack(list(_filtered(meshes, fps)))
    backwards = np.stack(list(_filtered(meshes[::-1], fps)))[::-1]
    return np.asarray((forwards + backwards) / 2, np.float32)


def _filtered(meshes: Points, fps: int) -> Iterator[Points]:
    one_euro = OneEuro()
    for mesh in meshes:
        yield one_euro.smooth(mesh, step_s=1 / fps)


def thumbnail(picture: Image) -> Floats:
    """(36, 64) float32: the luma of a picture, very small."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, THUMB, interpolation=cv2.INTER_AREA), np.float32)
