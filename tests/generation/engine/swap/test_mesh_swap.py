from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels
from generation.engine.faces.pose import similarity2d
from generation.engine.faces.topology import EYES, OVAL, mouth
from generation.engine.swap.blend import multiband
from generation.engine.swap.mesh import MeshSwapper
from generation.engine.swap.portrait import prepare
from generation.engine.swap.warp import backward, read
from generation.engine.types import Image, Points


@pytest.fixture(scope="module")
def swapper(models: FaceModels, astronaut: Image, astronaut_marks: Landmarks) -> MeshSwapper:
    return MeshSwapper(astronaut, astronaut_marks.mesh, models.triangles)


def enlarged(picture: Image, mesh: Points, scale: float) -> tuple[Image, Points]:
    big = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return big.astype(np.uint8), (mesh * scale).astype(np.float32)


def turned(mesh: Points, degrees: float) -> Points:
    angle = np.radians(degrees)
    about = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    middle = mesh.mean(0)
    return ((mesh - middle) @ about.T + middle).astype(np.float32)


@pytest.mark.parametrize("shift", [(-5000, 0), (0, -5000), (5000, 5000)])
def test_a_face_outside_the_frame_is_left_alone(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks, shift: tuple[int, int]
) -> None:
    frame = grace_hopper.copy()
    result = swapper.swap(frame, grace_marks.mesh + np.array([*shift, 0], np.float32))
    assert result.strength == 0
    assert (frame == grace_hopper).all()


@pytest.mark.parametrize("scale", [0.02, 0.1])
def test_a_face_too_small_to_work_on_is_left_alone(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks, scale: float
) -> None:
    frame = grace_hopper.copy()
    assert swapper.swap(frame, grace_marks.mesh * np.float32(scale)).strength == 0
    assert (frame == grace_hopper).all()


@pytest.mark.parametrize("degrees", [-75.0, -45.0, 45.0, 75.0])
def test_beyond_forty_degrees_nothing_is_swapped(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks, degrees: float
) -> None:
    frame = grace_hopper.copy()
    result = swapper.swap(frame, turned(grace_marks.mesh, degrees))
    assert result.strength == 0
    assert (frame == grace_hopper).all()


def test_the_swap_fades_from_thirty_to_forty_degrees(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks
) -> None:
    strengths = []
    for degrees in (20.0, 33.0, 38.0, 43.0):
        strengths.append(swapper.swap(grace_hopper.copy(), turned(grace_marks.mesh, degrees)).strength)
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] == 1
    assert 0 < strengths[2] < 1
    assert strengths[3] == 0


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.2])
def test_the_new_face_is_the_source_and_no_longer_the_target(
    models: FaceModels,
    swapper: MeshSwapper,
    astronaut: Image,
    astronaut_marks: Landmarks,
    grace_hopper: Image,
    grace_marks: Landmarks,
    scale: float,
) -> None:
    frame, mesh = enlarged(grace_hopper, grace_marks.mesh, scale)
    result = swapper.swap(frame, mesh)
    assert result.strength == 1
    assert result.coverage > 0.75
    made = models.embedder.embed(frame, models.landmarks.settle(frame, models.detector.detect(frame)[0]).mesh)
    source = models.embedder.embed(astronaut, astronaut_marks.mesh)
    target = models.embedder.embed(grace_hopper, grace_marks.mesh)
    assert made.distance(source) < models.embedder.thresholds.same
    assert made.distance(source) < made.distance(target)


def test_only_the_face_changes_and_without_a_seam(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks
) -> None:
    frame, mesh = enlarged(grace_hopper, grace_marks.mesh, 2)
    before = frame.copy()
    swapper.swap(frame, mesh)
    change = np.abs(frame.astype(int) - before).max(2)
    hull = cv2.convexHull(np.round(mesh[list(OVAL), :2]).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros(change.shape, np.uint8), hull, 1)
    width = int(np.ptp(mesh[:, 0]))
    far = cv2.dilate(inside, np.ones((width // 3, width // 3), np.uint8)) == 0
    assert change[far].max() == 0
    assert change[inside > 0].mean() > 4
    ring = (cv2.dilate(inside, np.ones((9, 9), np.uint8)) - cv2.erode(inside, np.ones((9, 9), np.uint8))) > 0
    steps = [np.abs(np.diff(picture.astype(int), axis=1)).max(2) for picture in (frame, before)]
    assert np.percentile((steps[0] - steps[1])[ring[:, 1:]], 98) < 12


def test_gaze_and_teeth_stay_the_targets(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks, models: FaceModels
) -> None:
    marked, mesh = enlarged(grace_hopper, grace_marks.mesh, 2)
    for eye in EYES:
        middle = mesh[list(eye), :2].mean(0)
        cv2.circle(marked, tuple(int(v) for v in middle), 5, (0, 255, 0), -1)
    swapper.swap(marked, mesh)
    blue, green, red = (marked[..., channel].astype(int) for channel in range(3))
    kept = (green - red > 100) & (green - blue > 100)
    for eye in EYES:
        x, y = (int(v) for v in mesh[list(eye), :2].mean(0))
        assert kept[y - 20 : y + 20, x - 20 : x + 20].sum() > 30


def test_a_covered_face_lowers_the_coverage(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks
) -> None:
    frame = grace_hopper.copy()
    x, y = (int(v) for v in grace_marks.mesh[205, :2])
    cv2.rectangle(frame, (x - 60, y - 10), (x + 70, y + 70), (200, 60, 30), -1)
    covered = swapper.swap(frame, grace_marks.mesh).coverage
    assert covered < swapper.swap(grace_hopper.copy(), grace_marks.mesh).coverage - 0.05


def test_the_fringe_of_the_portrait_is_not_transplanted(astronaut: Image, astronaut_marks: Landmarks) -> None:
    level = prepare(astronaut, astronaut_marks.mesh).levels[0]
    x, y = (int(v) for v in level.mesh[10])
    assert level.confidence[y + 2, x] < 80
    nose_x, nose_y = (int(v) for v in level.mesh[4])
    assert level.confidence[nose_y, nose_x] > 250


def test_a_very_large_portrait_is_kept_small(astronaut: Image, astronaut_marks: Landmarks) -> None:
    big, mesh = enlarged(astronaut, astronaut_marks.mesh, 8)
    assert prepare(big, mesh).levels[0].picture.shape[1] < 900


def test_threads_may_share_a_swapper(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks
) -> None:
    def one(_number: int) -> bytes:
        frame = grace_hopper.copy()
        swapper.swap(frame, grace_marks.mesh)
        return frame.tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(8)))) == 1


def test_a_map_of_a_mesh_onto_itself_gives_the_picture_back(
    models: FaceModels, grace_hopper: Image, grace_marks: Landmarks
) -> None:
    flat = grace_marks.mesh[:, :2]
    warp = backward(flat, flat, models.triangles, (600, 512))
    back = read(grace_hopper, warp.where, border=cv2.BORDER_REPLICATE)
    assert warp.inside.mean() > 0.08
    assert np.abs(back.astype(int) - grace_hopper)[warp.inside].max() <= 2


def test_a_map_follows_a_similarity(
    models: FaceModels, grace_hopper: Image, grace_marks: Landmarks, astronaut_marks: Landmarks
) -> None:
    flat = grace_marks.mesh[:, :2]
    onto = similarity2d(flat, astronaut_marks.mesh[:, :2])
    moved = (flat @ onto[:, :2].T + onto[:, 2]).astype(np.float32)
    warp = backward(moved, flat, models.triangles, (512, 512))
    rows, columns = np.nonzero(warp.inside)
    there = warp.where[rows, columns] @ onto[:, :2].T + onto[:, 2]
    assert there == pytest.approx(np.stack([columns, rows], 1), abs=0.3)


def test_the_mouth_is_closed_by_triangles_that_face_like_the_others(
    models: FaceModels, astronaut_marks: Landmarks
) -> None:
    flat = astronaut_marks.mesh[:, :2].astype(float)

    def areas(triangles: np.ndarray) -> np.ndarray:
        a, b, c = (flat[triangles[:, corner]] for corner in range(3))
        return np.cross(np.c_[b - a, np.zeros(len(a))], np.c_[c - a, np.zeros(len(a))])[:, 2]

    front = np.sign(np.median(areas(models.triangles)))
    assert (areas(mouth()) * front > 0).mean() > 0.9
    assert (areas(models.triangles[-28:]) * front > 0).mean() > 0.9


def test_multiband_with_a_full_or_empty_mask_is_either_picture() -> None:
    rng = np.random.default_rng(4)
    a, b = (rng.random((70, 90, 3), np.float32) for _ in range(2))
    assert multiband(a, b, np.ones((70, 90), np.float32), levels=3) == pytest.approx(a, abs=1e-5)
    assert multiband(a, b, np.zeros((70, 90), np.float32), levels=3) == pytest.approx(b, abs=1e-5)
