"""Whether a portrait is good enough to enrol: every reason against it, with its number and its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from generation.engine.errors import PortraitRefusedError
from generation.engine.faces.findings import Finding, PortraitLimits, judge
from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels
from generation.engine.faces.pose import Pose, head_pose
from generation.engine.faces.topology import (
    EYES,
    LEFT_CHEEK,
    LID_GAPS,
    MOUTH_GAP,
    OVAL,
    RIGHT_CHEEK,
)
from generation.engine.types import Detection, Embedding, Image, Points

_MEASURED_WIDTH = 96  # light and sharpness are measured at one size, whatever the picture's


@dataclass(frozen=True, slots=True)
class PortraitReport:
    """What was found. ``box``, ``mesh`` and ``embedding`` are there when exactly one sure face was found."""

    failures: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    measures: Mapping[str, float]
    boxes: tuple[Points, ...]
    mesh: Points | None = None
    embedding: Embedding | None = None

    @property
    def accepted(self) -> bool:
        """Whether the portrait may be enrolled."""
        return not self.failures and self.embedding is not None

    @property
    def box(self) -> Points | None:
        """(4,) float32 of the one face."""
        return self.boxes[0] if len(self.boxes) == 1 else None

    def require(self) -> Embedding:
        """The identity vector of an accepted portrait.

        Raises:
            PortraitRefusedError: with every failing number.
        """
        if self.failures or self.embedding is None:
            raise PortraitRefusedError(
                " ".join(finding.message for finding in self.failures)
                or "The portrait has no identity vector.",
                failures=self.failures,
            )
        return self.embedding


def analyse_portrait(
    image: Image, models: FaceModels, limits: PortraitLimits | None = None
) -> PortraitReport:
    """Measure a portrait; quality never raises, ask the report.

    Raises:
        ModelOutputError: a network gave NaN.
    """
    limit = limits or PortraitLimits()
    found = models.detector.detect(image)
    boxes = tuple(item.box for item in found)
    number = _number(found, limit)
    if number is not None:
        return PortraitReport((number,), (), {"faces": float(len(found))}, boxes)
    marks = models.landmarks.settle(image, found[0])
    measures = _measure(image, marks, found[0])
    failures, warnings = judge(measures, limit)
    embedding = models.embedder.embed(image, marks.mesh)
    return PortraitReport(failures, warnings, measures, boxes, marks.mesh, embedding)


def _number(found: tuple[Detection, ...], limit: PortraitLimits) -> Finding | None:
    """Exactly one face, and a sure one."""
    if not found:
        return Finding("portrait.no_face", "There is no face in the picture.", 0.0, 1.0)
    others = [item for item in found[1:] if item.score >= limit.second_score]
    if others:
        count = 1 + len(others)
        return Finding(
            "portrait.several_faces", f"There are {count} faces; one is needed.", float(count), 1.0
        )
    score = found[0].score
    if score < limit.face_score:
        text = f"The face is not clear: certainty {score:.2f}, at least {limit.face_score:.2f} is needed."
        return Finding("portrait.unclear_face", text, score, limit.face_score)
    return None


def _measure(image: Image, marks: Landmarks, found: Detection) -> dict[str, float]:
    mesh, pose = marks.mesh, head_pose(marks.mesh)
    chip, local = _normalised(image, mesh, pose)
    lab = cv2.cvtColor(chip.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    oval = cv2.fillPoly(np.zeros(chip.shape[:2], np.uint8), [_whole(local[list(OVAL)])], 1) > 0
    lightness = lab[..., 0]
    left, right = (_patch(lightness, local, cheek) for cheek in (LEFT_CHEEK, RIGHT_CHEEK))
    grey = cv2.cvtColor(chip, cv2.COLOR_BGR2GRAY)
    eyes = mesh[list(EYES[0]), :2].mean(0) - mesh[list(EYES[1]), :2].mean(0)
    return {
        "faces": 1.0,
        "score": found.score,
        "presence": marks.presence,
        "yaw_deg": pose.yaw_deg,
        "pitch_deg": pose.pitch_deg,
        "roll_deg": pose.roll_deg,
        "eyes_apart_px": float(np.linalg.norm(eyes)),
        "sharpness": float(cv2.Laplacian(grey, cv2.CV_32F)[oval].std() / max(grey[oval].mean(), 1) * 100),
        "lightness": float(lightness[oval].mean()),
        "clipped": float(((lightness < 3) | (lightness > 97))[oval].mean()),
        "cheek_difference": abs(left - right),
        "eye_open": min(_ratio(mesh, corners) for corners in LID_GAPS),
        "mouth_gap": _mouth_gap(mesh, float(np.linalg.norm(eyes))),
    }


def _normalised(image: Image, mesh: Points, pose: Pose) -> tuple[Image, Points]:
    """The face upright at a fixed width, and its landmarks there."""
    width = max(float(np.ptp(mesh[list(OVAL), 0])), 1.0)
    scale = _MEASURED_WIDTH / width
    x, y = (float(value) for value in mesh[:, :2].mean(0))
    side = int(_MEASURED_WIDTH * 1.6)
    into = cv2.getRotationMatrix2D((x, y), pose.roll_deg, scale)
    into[:, 2] += np.array([side / 2 - x, side / 2 - y])
    if scale < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale).astype(np.uint8, copy=False)
    chip = cv2.warpAffine(image, into, (side, side), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    local: Points = (mesh[:, :2] @ into[:, :2].T + into[:, 2]).astype(np.float32)
    return chip, local


def _patch(lightness: object, local: Points, cheek: tuple[int, ...]) -> float:
    plane = np.asarray(lightness, np.float32)
    hull = cv2.convexHull(_whole(local[list(cheek)]))
    inside = cv2.fillConvexPoly(np.zeros(plane.shape, np.uint8), hull, 1) > 0
    return float(np.median(plane[inside])) if inside.any() else 0.0


def _ratio(mesh: Points, corners: tuple[int, int, int, int]) -> float:
    top, bottom, left, right = (mesh[corner, :2] for corner in corners)
    return float(np.linalg.norm(top - bottom) / (np.linalg.norm(left - right) + 1e-6))


def _mouth_gap(mesh: Points, eyes_apart: float) -> float:
    return float(np.linalg.norm(mesh[MOUTH_GAP[0], :2] - mesh[MOUTH_GAP[1], :2])) / max(eyes_apart, 1e-6)


def _whole(points: Points) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.round(points).astype(np.int32)
