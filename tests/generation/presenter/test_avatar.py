from __future__ import annotations

import cv2
import numpy as np
import pytest

from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels
from generation.engine.swap.mesh import MeshSwapper
from generation.engine.types import Image
from generation.presenter.avatar import swapped_plate
from generation.presenter.errors import PlateRejectedError
from generation.presenter.puppet.geometry import SMILE, aperture, face_of
from generation.presenter.puppet.mouth import Smile
from generation.presenter.puppet.puppet import Puppet
from generation.presenter.scene import Plate
from generation.presenter.visemes import TARGETS
from tests.generation.presenter.conftest import Portrait


@pytest.fixture(scope="module")
def plate(closed: Portrait) -> Plate:
    return Plate(closed.picture, np.ones(closed.picture.shape[:2], np.float32), closed.mesh)


@pytest.fixture(scope="module")
def picture(plate: Plate, astronaut: Image, astronaut_marks: Landmarks, models: FaceModels) -> Image:
    found = plate.picture.copy()
    MeshSwapper(astronaut, astronaut_marks.mesh, models.triangles).swap_still(found, plate.mesh)
    return found


def test_a_picture_without_a_face_is_refused(plate: Plate, models: FaceModels) -> None:
    with pytest.raises(PlateRejectedError, match="presence") as raised:
        swapped_plate(plate, np.full_like(plate.picture, 127), models)

    assert raised.value.failed["presence"] < 0.5


def test_the_lips_are_where_the_new_face_has_them(plate: Plate, picture: Image, models: FaceModels) -> None:
    found = swapped_plate(plate, picture, models)

    assert found.alpha is plate.alpha
    assert 1 < plate.mesh[13, 1] - found.mesh[13, 1] < 12  # hers meet higher than the performer's
    assert aperture(found.mesh) < SMILE


def test_a_driven_avatar_shows_no_bright_line_between_its_lips(
    plate: Plate, picture: Image, models: FaceModels
) -> None:
    puppet = Puppet(picture, swapped_plate(plate, picture, models).mesh)
    reach = round(0.05 * puppet.face.unit)
    for shape in (TARGETS[0], TARGETS[21]):
        luma = cv2.cvtColor(puppet.frame(shape), cv2.COLOR_BGR2GRAY)
        luma = cv2.GaussianBlur(luma, (0, 0), 0.8).astype(int)
        for x, y in puppet.face.seam[3:8].astype(int):
            column = luma[y - reach : y + reach + 1, x]
            darkest = int(column.argmin())
            assert abs(darkest - reach) <= 3
            # it only gets lighter from there to either lip
            assert (np.diff(column[darkest : darkest + 4]) >= -1).all()
            assert (np.diff(column[darkest - 3 : darkest + 1]) <= 1).all()


def test_the_teeth_are_the_licensed_persons(
    plate: Plate, picture: Image, astronaut: Image, astronaut_marks: Landmarks, models: FaceModels
) -> None:
    portrait = MeshSwapper(astronaut, astronaut_marks.mesh, models.triangles).portrait
    lent = swapped_plate(plate, picture, models, smile=Smile(*portrait))
    plain, own = (
        Puppet(picture, lent.mesh, smile=smile).draw(TARGETS[2]).mouth.astype(int)
        for smile in (None, lent.smile)
    )
    x0, y0, _, _ = face_of(lent.mesh, width=picture.shape[1], height=picture.shape[0]).roi
    x, y = (lent.mesh[13, :2] - (x0, y0)).astype(int)
    teeth = np.s_[y + 2 : y + 8, x - 12 : x + 12]

    assert own[teeth].mean() > plain[teeth].mean() + 15  # hers are whiter than drawn ones
    assert own[teeth].std() > 3
    outside = np.s_[: y - 18]  # the mouth stands askew
    assert (own[outside] == plain[outside]).all()


def test_a_portrait_that_shows_no_teeth_lends_none(plate: Plate, picture: Image, models: FaceModels) -> None:
    lent = swapped_plate(plate, picture, models, smile=Smile(plate.picture, plate.mesh))
    one, other = (Puppet(picture, lent.mesh, smile=smile) for smile in (None, lent.smile))

    assert (one.draw(TARGETS[2]).mouth == other.draw(TARGETS[2]).mouth).all()


def test_an_opened_avatar_keeps_both_lips(plate: Plate, picture: Image, models: FaceModels) -> None:
    puppet = Puppet(picture, swapped_plate(plate, picture, models).mesh)
    x0, y0, _, _ = puppet.face.roi
    drawn = puppet.draw(TARGETS[2]).mouth.astype(int)

    # below the upper lip come teeth and the dark of the mouth, never a strip of red
    x, y = (puppet.face.seam[5] - (x0, y0)).astype(int)
    column = drawn[y + 3 : y + round(0.14 * puppet.face.unit), x]
    redness = column[:, 2] - column[:, :2].mean(1)
    assert redness.max() < 60
