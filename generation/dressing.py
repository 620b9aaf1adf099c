"""The licensed face on a performer's portrait: seen by the guard like a frame of footage, then replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from generation.engine.chunk import Likeness, StillSwapper
from generation.engine.errors import GuardAbortError, NoFaceError
from generation.engine.faces.landmarks import Region
from generation.engine.faces.models import FaceModels
from generation.engine.faces.track import Track, Tracker
from generation.engine.pipeline import ask
from generation.engine.types import Action, Detection, Guard, Image
from generation.gate.guard import FaceGuard
from generation.presenter.avatar import swapped_plate
from generation.presenter.errors import DrivingMismatchError
from generation.presenter.puppet.mouth import Smile
from generation.presenter.scene import Plate


@dataclass(frozen=True, slots=True)
class Looked:
    """The followed faces of a picture, each of which may be replaced; how many were found and compared."""

    tracks: tuple[Track, ...]
    detections: int = 0
    embedded: int = 0

    def __add__(self, other: Looked) -> Looked:
        """Both together; the tracks of the later."""
        return replace(
            other,
            detections=self.detections + other.detections,
            embedded=self.embedded + other.embedded,
        )


def looked_at(picture: Image, *, guard: FaceGuard, models: FaceModels) -> Looked:
    """The faces of a single picture.

    Raises:
        GuardAbortError: a face may not be there, or a followed one may not be replaced.
    """
    return judged(Tracker(models, 1.0), picture, 0, 0.0, guard=guard.follow())


def judged(tracker: Tracker, picture: Image, index: int, time_s: float, *, guard: Guard) -> Looked:
    """The faces of the tracker's next picture; ``guard`` follows this tracker and no other.

    Raises:
        GuardAbortError: a face may not be there, or a followed one may not be replaced.
    """
    before = tracker.embedded
    tracks = tracker.update(picture, index, time_s)
    faces = tracker.frame_faces(index, time_s)
    verdicts = ask(guard, faces, tracks)
    kept = [track for track in tracks if verdicts[track.id].action is not Action.SWAP]
    if kept:
        raise GuardAbortError(verdicts[kept[0].id].code or "performer.no_release", frame=index)
    return Looked(tuple(tracks), len(faces.faces), tracker.embedded - before)


def dressed(
    plate: Plate, *, swapper: StillSwapper, guard: FaceGuard, models: FaceModels
) -> tuple[Plate, Looked]:
    """The plate with the licensed face on it, once the guard has seen it.

    Raises:
        GuardAbortError: it does not let the face be replaced, or knows another one.
        NoFaceError: not exactly one face was replaced.
        PlateRejectedError: what came out cannot be driven.
    """
    picture = plate.picture.copy()
    looked = looked_at(picture, guard=guard, models=models)
    swapped = sum(swapper.swap_still(picture, track.mesh).strength > 0 for track in looked.tracks)
    if swapped != 1:
        raise NoFaceError(f"The licensed face was put onto {swapped} faces of the portrait instead of one.")
    return swapped_plate(plate, picture, models, smile=Smile(*swapper.portrait)), looked


def require_licensed(
    picture: Image, found: Sequence[Detection], likeness: Likeness, *, models: FaceModels, index: int
) -> None:
    """Make sure that one of these faces is the licensed person's; for frames of an engine that draws faces.

    Raises:
        DrivingMismatchError: none is.
    """
    meshes = [models.landmarks.measure(picture, Region.of_detection(face)).mesh for face in found]
    distance = min(likeness.embedder.embed(picture, mesh).distance(likeness.source) for mesh in meshes)
    if not distance <= models.embedder.thresholds.review:
        raise DrivingMismatchError(
            f"On frame {index} the driving engine shows somebody else: {distance:.2f} from the licensed face."
        )
