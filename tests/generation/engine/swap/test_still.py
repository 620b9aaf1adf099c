from __future__ import annotations

import cv2
import numpy as np
import pytest

from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels
from generation.engine.faces.topology import INNER_LIP
from generation.engine.swap.mesh import MeshSwapper
from generation.engine.swap.portrait import face_width
from generation.engine.swap.still import are_shut, shut_lips, take_off_spectacles
from generation.engine.types import Image, Points


@pytest.fixture(scope="module")
def swapper(models: FaceModels, astronaut: Image, astronaut_marks: Landmarks) -> MeshSwapper:
    return MeshSwapper(astronaut, astronaut_marks.mesh, models.triangles)


@pytest.fixture(scope="module")
def swapped(swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks) -> Image:
    frame = grace_hopper.copy()
    assert swapper.swap_still(frame, grace_marks.mesh).strength == 1
    return frame


def temples(picture: Image, mesh: Points) -> list[int]:
    """How many pixels as dark as horn lie between each eye's corner and the edge of the face."""
    reach, found = round(0.045 * face_width(mesh)), []
    for corner, edge in ((33, 127), (263, 356)):
        (x, y), (end, _) = mesh[corner, :2], mesh[edge, :2]
        first, last = sorted((int(x + 0.4 * (end - x)), int(end)))
        part = picture[int(y) - reach : int(y) + reach // 2, first:last]
        found.append(int((part.max(2) < 90).sum()))
    return found


@pytest.mark.parametrize("shift", [(-5000, 0), (0, -5000), (5000, 5000)])
def test_a_face_outside_the_picture_is_left_alone(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks, shift: tuple[int, int]
) -> None:
    frame = grace_hopper.copy()

    assert swapper.swap_still(frame, grace_marks.mesh + np.array([*shift, 0], np.float32)).strength == 0
    assert (frame == grace_hopper).all()


def test_spectacles_go_with_what_they_have_at_the_temples(
    swapped: Image, grace_hopper: Image, grace_marks: Landmarks
) -> None:
    before, after = (temples(picture, grace_marks.mesh) for picture in (grace_hopper, swapped))

    assert min(before) > 30
    assert max(after) < 0.2 * min(before)


def test_nothing_is_taken_from_who_wears_none(astronaut: Image, astronaut_marks: Landmarks) -> None:
    picture = astronaut.copy()

    assert not take_off_spectacles(picture, astronaut_marks.mesh)
    assert (picture == astronaut).all()


def test_only_the_face_and_its_temples_change(
    swapped: Image, grace_hopper: Image, grace_marks: Landmarks
) -> None:
    mesh, same = grace_marks.mesh, grace_hopper.copy()
    pad = 0.15 * float(np.ptp(mesh[:, :2], axis=0).max()) + 1
    x0, y0 = np.floor(mesh[:, :2].min(0) - pad).astype(int)
    x1, y1 = np.ceil(mesh[:, :2].max(0) + pad).astype(int)
    same[y0:y1, x0:x1] = swapped[y0:y1, x0:x1]

    assert (same == swapped).all()


def test_the_eyes_are_the_licensed_persons(
    swapper: MeshSwapper, swapped: Image, grace_hopper: Image, grace_marks: Landmarks
) -> None:
    clip = grace_hopper.copy()
    swapper.swap(clip, grace_marks.mesh)
    for upper, lower in ((159, 145), (386, 374)):
        x, y = ((grace_marks.mesh[upper, :2] + grace_marks.mesh[lower, :2]) / 2).astype(int)
        part = np.s_[y - 3 : y + 4, x - 4 : x + 5]
        own = grace_hopper[part].astype(int)
        assert np.abs(clip[part] - own).mean() < 20  # a clip keeps the performer's gaze
        assert np.abs(swapped[part] - own).mean() > 28


def test_a_still_is_closer_to_the_licensed_face_than_a_clips_frame(
    swapper: MeshSwapper,
    swapped: Image,
    grace_hopper: Image,
    grace_marks: Landmarks,
    astronaut: Image,
    astronaut_marks: Landmarks,
    models: FaceModels,
) -> None:
    clip = grace_hopper.copy()
    swapper.swap(clip, grace_marks.mesh)
    source = models.embedder.embed(astronaut, astronaut_marks.mesh)
    still, other = (
        models.embedder.embed(picture, grace_marks.mesh).distance(source) for picture in (swapped, clip)
    )
    assert still < other + 0.01


def test_closed_lips_meet_on_a_dark_line(
    swapper: MeshSwapper, grace_hopper: Image, grace_marks: Landmarks, models: FaceModels
) -> None:
    large = np.asarray(
        cv2.resize(grace_hopper, None, fx=1.8, fy=1.8, interpolation=cv2.INTER_CUBIC), np.uint8
    )
    swapper.swap_still(large, grace_marks.mesh * np.float32(1.8))
    mesh = models.landmarks.settle(large, models.detector.detect(large)[0]).mesh
    luma = cv2.GaussianBlur(cv2.cvtColor(large, cv2.COLOR_BGR2GRAY), (0, 0), 0.8).astype(float)
    reach = round(0.02 * face_width(mesh))
    for upper, lower in ((82, 87), (13, 14), (312, 317)):
        x, y = ((mesh[upper, :2] + mesh[lower, :2]) / 2).astype(int)
        column = luma[y - 2 * reach : y + 2 * reach + 1, x]
        darkest = int(column.argmin())
        assert abs(darkest - 2 * reach) <= reach
        assert column[darkest] < 0.75 * np.median(column)
        # on either side it only gets lighter: no strip of teeth or of the performer's lip is left
        near = column[max(0, darkest - reach) : darkest + reach + 1]
        turns = np.diff(np.sign(np.diff(near)[np.abs(np.diff(near)) > 0.5]))
        assert (turns != 0).sum() <= 1


def test_lips_that_nearly_touch_are_shut_and_open_ones_are_not(
    grace_marks: Landmarks, astronaut_marks: Landmarks
) -> None:
    shut = shut_lips(grace_marks.mesh)
    rest = [point for point in range(468) if point not in INNER_LIP]

    assert are_shut(shut)
    assert (shut[rest] == grace_marks.mesh[rest]).all()
    assert not are_shut(shut_lips(astronaut_marks.mesh))


def test_pupils_stay_dark(models: FaceModels, astronaut: Image, grace_hopper: Image) -> None:
    own, target = (
        models.landmarks.settle(each, models.detector.detect(each)[0]).mesh
        for each in (grace_hopper, astronaut)
    )
    made = astronaut.copy()
    MeshSwapper(grace_hopper, own, models.triangles).swap_still(made, target)
    for lids in ((159, 145), (386, 374)):
        darkest = [
            picture[int(y) - 3 : int(y) + 4, int(x) - 4 : int(x) + 5].max(2).min()
            for picture, (x, y) in (
                (grace_hopper, own[list(lids), :2].mean(0)),
                (made, target[list(lids), :2].mean(0)),
            )
        ]
        assert darkest[1] < darkest[0] + 40
