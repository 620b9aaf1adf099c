"""The plate that is driven: the performer's portrait once it carries the licensed face.

The swap of a still happens once and may take its time, so what a clip must put up with is mended here.
"""

from __future__ import annotations

from generation.engine.faces.landmarks import Region
from generation.engine.faces.models import FaceModels
from generation.engine.types import Image
from generation.presenter.errors import PlateRejectedError
from generation.presenter.puppet.mouth import Smile
from generation.presenter.scene import Plate

PRESENT = 0.5
"""Presence of a face below it: the swap left none that could be driven."""


def swapped_plate(plate: Plate, picture: Image, models: FaceModels, *, smile: Smile | None = None) -> Plate:
    """The performer's plate with its picture swapped; ``picture`` (h, w, 3) uint8 BGR is what the swap gave.

    The landmarks are measured anew: the new face has its own proportions, its lips meet elsewhere. ``smile``:
    the licensed portrait; if it shows teeth and the performer's does not, they are the ones that are seen.

    Raises:
        PlateRejectedError: no face is seen in the swapped picture.
    """
    found = models.landmarks.measure(picture, Region.of_mesh(plate.mesh))
    found = models.landmarks.measure(picture, Region.of_mesh(found.mesh))
    if found.presence < PRESENT:
        raise PlateRejectedError(
            f"The swapped portrait shows no face: presence {found.presence:.2f}.",
            failed={"presence": found.presence},
        )
    return Plate(picture, plate.alpha, found.mesh, smile)
