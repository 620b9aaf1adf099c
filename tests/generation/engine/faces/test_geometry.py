from __future__ import annotations

import numpy as np
import pytest

from generation.engine.errors import ContractMismatchError
from generation.engine.faces.association import match, overlap
from generation.engine.faces.cuts import CutFinder
from generation.engine.faces.filter import OneEuro
from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels
from generation.engine.faces.pose import head_pose, rigid3d, similarity2d
from generation.engine.faces.topology import EYES, INNER_LIP, OVAL, triangles


def box(x: float, y: float, side: float) -> np.ndarray:
    return np.array([x, y, x + side, y + side], np.float32)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"(((",
        b"FACEMESH_TESSELATION = 3",
        b"FACEMESH_TESSELATION = frozenset([(0, 1), (1, 2), (2, 0)])",
        b"\x00",
    ],
)
def test_a_broken_topology_is_refused(text: bytes) -> None:
    with pytest.raises(ContractMismatchError):
        triangles(text)


def test_the_mesh_is_closed_at_the_eyes_and_open_at_the_mouth(models: FaceModels) -> None:
    edges: dict[tuple[int, int], int] = {}
    for a, b, c in models.triangles.tolist():
        for edge in ((a, b), (b, c), (c, a)):
            key = (min(edge), max(edge))
            edges[key] = edges.get(key, 0) + 1
    open_points = {point for edge, count in edges.items() if count == 1 for point in edge}
    assert set(INNER_LIP) <= open_points
    assert set(OVAL) <= open_points
    assert not open_points & set(EYES[0] + EYES[1])


def test_a_similarity_is_recovered() -> None:
    points = np.array([[0, 0], [10, 0], [3, 7], [-4, 2]], float)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    fit = similarity2d(points, 2.5 * points @ turn.T + [7, -3])
    assert fit == pytest.approx(np.hstack([2.5 * turn, [[7], [-3]]]))


def test_a_mirrored_target_does_not_mirror_the_fit() -> None:
    points = np.random.default_rng(1).normal(size=(20, 3))
    fit = rigid3d(points, points * [-1, 1, 1])
    assert np.linalg.det(fit.rotation) == pytest.approx(1)


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 25.0])
def test_a_turn_of_the_head_is_measured_in_degrees(astronaut_marks: Landmarks, degrees: float) -> None:
    angle = np.radians(degrees)
    about_vertical = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    mesh = astronaut_marks.mesh
    turned = ((mesh - mesh.mean(0)) @ about_vertical.T).astype(np.float32)
    assert rigid3d(mesh, turned).yaw_deg == pytest.approx(degrees, abs=1e-3)
    assert head_pose(turned).yaw_deg == pytest.approx(head_pose(mesh).yaw_deg - degrees, abs=1.5)


def test_the_filter_removes_jitter_and_follows_a_fast_move() -> None:
    rng = np.random.default_rng(2)
    still = OneEuro()
    smooth = [still.smooth(rng.normal(0, 1, (5, 3)).astype(np.float32), step_s=0.04) for _ in range(100)]
    assert np.std([points[0, 0] for points in smooth[10:]]) < 0.5
    moving = OneEuro()
    last = np.zeros((5, 3), np.float32)
    for step in range(50):
        last = moving.smooth(np.full((5, 3), step * 20.0, np.float32), step_s=0.04)
    assert abs(float(last[0, 0]) - 49 * 20) < 10


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (box(0, 0, 10), box(20, 20, 10), 0.0),
        (box(0, 0, 10), box(0, 0, 10), 1.0),
        (box(0, 0, 0), box(0, 0, 0), 0.0),
        (box(0, 0, 10), box(5, 0, 10), 1 / 3),
    ],
)
def test_overlap_of_boxes(a: np.ndarray, b: np.ndarray, expected: float) -> None:
    assert overlap(a, b) == pytest.approx(expected)


def test_boxes_are_matched_best_first_and_only_once() -> None:
    old = [box(0, 0, 100), box(30, 0, 100), box(500, 0, 50)]
    new = [box(32, 0, 100), box(900, 0, 40)]
    assert match(old, new) == {1: 0}
    assert match([], new) == {}
    assert match(old, []) == {}


def test_a_cut_is_noticed_and_a_moving_picture_is_none() -> None:
    rng = np.random.default_rng(3)
    wide = np.kron(rng.integers(0, 255, (9, 40)), np.ones((20, 20))).astype(np.uint8)
    frames = [np.dstack([wide[:, x : x + 320]] * 3) for x in range(0, 60, 3)]
    finder = CutFinder()
    assert not any(finder.is_cut(frame) for frame in frames)
    assert finder.is_cut(255 - frames[-1])
    assert not finder.is_cut(255 - frames[-1])
