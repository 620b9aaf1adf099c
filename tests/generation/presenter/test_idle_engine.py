"""A clip becomes a loop, and the loop speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from generation.engine.faces.landmarks import Region
from generation.engine.faces.models import FaceModels
from generation.engine.look.matte import Matting
from generation.engine.media.colour import from_planes
from generation.engine.media.info import MediaInfo
from generation.engine.media.probe import probe
from generation.engine.types import Image
from generation.engine.weights.registry import load_registry
from generation.presenter import persons
from generation.presenter.bases import Base
from generation.presenter.driving import DrivingEngine, Performance
from generation.presenter.errors import DrivingMismatchError, IdleRejectedError, SceneError
from generation.presenter.idle import IdleLimits
from generation.presenter.idle_engine import IdleEngine
from generation.presenter.lipwarp import LipWarp, onto
from generation.presenter.loop import Loop, make_loop, turning
from generation.presenter.loop_seam import FADE
from generation.presenter.neural import NeuralEngine
from generation.presenter.puppet.geometry import aperture
from generation.presenter.puppet.puppet import Puppet
from generation.presenter.scene import Layout, Plate
from generation.presenter.subtitles import Cue
from generation.presenter.visemes import TARGETS
from tests.generation.presenter.conftest import Portrait
from tests.generation.presenter.idle_clips import idle_pictures, still_motion, write_clip
from tests.generation.presenter.test_neural import opened, speech

FPS, FRAMES = 25, 140
SQUARE = Layout(width_px=480, height_px=480)
REST, CLOSED, OPEN = TARGETS[0], TARGETS[21], TARGETS[2]
SHORT = IdleLimits(shortest_s=5.0)


@dataclass(frozen=True, slots=True)
class Filmed:
    """A loop, its file, and its pictures."""

    loop: Loop
    path: Path
    info: MediaInfo
    pictures: list[Image]

    def turn(self, first: int, count: int) -> Iterator[Image]:
        for at in range(first, first + count):
            yield self.pictures[at % len(self.loop)]

    def engine(self, **changes: object) -> IdleEngine:
        references = [self.pictures[at] for at in self.loop.references]
        return IdleEngine(self.loop, self.turn, **{"references": references, **changes})


@pytest.fixture(scope="module")
def matting(weights_dir: Path) -> Matting:
    return Matting(load_registry().entry("selfie"), weights_dir=weights_dir)


@pytest.fixture(scope="module")
def person(closed: Portrait) -> Portrait:
    """Small, for the machine's sake: 86 px between the eyes."""
    scale = 560 / closed.picture.shape[0]
    small = cv2.resize(closed.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Portrait(np.asarray(small, np.uint8), closed.mesh * np.float32(scale))


@pytest.fixture(scope="module")
def filmed(person: Portrait, models: FaceModels, tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    folder = tmp_path_factory.mktemp("idle")
    clip = write_clip(folder / "clip.mp4", idle_pictures(person, frames=FRAMES))
    out = folder / "loop.mp4"
    loop = make_loop(clip, probe(clip), out=out, models=models, fps=FPS, limits=SHORT)
    info = probe(out)
    return Filmed(loop, out, info, list(turning(out, info, first=0, count=len(loop))))


def performed(shapes: list[np.ndarray], *, brow: float = 0.0, cues: tuple[Cue, ...] = ()) -> Performance:
    still = still_motion(len(shapes))
    moved = replace(still, roll_deg=still.roll_deg + 3, shift=still.shift + 9, blink=still.blink + 1)
    return Performance(np.stack(shapes), replace(moved, brow=still.brow + brow), cues)


def drawn(engine: DrivingEngine, performance: Performance, layout: Layout = SQUARE) -> list[Image]:
    plate = Plate(np.zeros((2, 2, 3), np.uint8), np.ones((2, 2), np.float32), np.zeros((468, 3), np.float32))
    return [from_planes(each) for each in engine.frames(plate, layout, performance, fps=FPS)]


def change(a: Image, b: Image) -> float:
    return float(cv2.absdiff(a, b).mean())


def test_the_file_is_the_loop_and_nothing_else(filmed: Filmed) -> None:
    assert filmed.info.frame_count == len(filmed.loop) == len(filmed.pictures)
    assert filmed.info.rate == FPS
    assert filmed.info.audio is None
    assert len(filmed.loop) >= 5 * FPS
    assert filmed.loop.references == (0,)


def test_no_jump_shows_at_the_seam(filmed: Filmed) -> None:
    pictures, meshes = filmed.pictures, filmed.loop.meshes[:, :, :2]
    pixels = [change(a, b) for a, b in zip(pictures, pictures[1:] + pictures[:1], strict=True)]
    marks = np.sqrt(((np.roll(meshes, -1, 0) - meshes) ** 2).sum(2).mean(1))

    fade, plain = slice(-FADE - 1, None), slice(0, -FADE - 1)
    assert max(pixels[fade]) <= 1.05 * max(pixels[plain])  # the loop's first frame is a key frame
    assert max(pixels[fade][:-1]) <= np.percentile(pixels[plain], 95)
    assert marks[fade].max() <= marks[plain].max()


def test_pictures_go_round_from_any_frame(filmed: Filmed) -> None:
    count, size = len(filmed.loop), filmed.loop.size_px
    for first in (0, count - 2, 3 * count + 60):
        found = list(turning(filmed.path, filmed.info, first=first, count=4))
        assert [each.shape[1::-1] for each in found] == [size] * 4
        for at, picture in enumerate(found):
            assert (picture == filmed.pictures[(first + at) % count]).all()


def test_a_clip_of_somebody_who_talks_is_refused_from_its_pixels(
    person: Portrait, models: FaceModels, tmp_path: Path
) -> None:
    talking = idle_pictures(person, frames=20, shape=lambda at: OPEN if at % 5 == 0 else REST)
    clip = write_clip(tmp_path / "clip.mp4", talking)

    with pytest.raises(IdleRejectedError) as raised:
        make_loop(clip, probe(clip), out=tmp_path / "loop.mp4", models=models, fps=FPS)

    assert raised.value.failed["mouth_open"] == pytest.approx(0.2, abs=0.05)
    assert raised.value.failed["seconds"] == pytest.approx(0.8)
    assert not (tmp_path / "loop.mp4").exists()


def test_a_still_is_no_clip(closed: Portrait, models: FaceModels, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), closed.picture)

    with pytest.raises(IdleRejectedError, match="still"):
        make_loop(
            tmp_path / "still.png", probe(tmp_path / "still.png"), out=tmp_path / "x", models=models, fps=25
        )


# ---- the engine --------------------------------------------------------------------------------------


def test_a_loop_at_rest_is_shown_as_it_is(filmed: Filmed) -> None:
    layout = Layout(width_px=filmed.loop.size_px[0] // 2 * 2, height_px=filmed.loop.size_px[1])
    found = drawn(filmed.engine(), performed([REST, REST]), layout)

    assert change(found[0], filmed.pictures[0]) < 1.0  # chroma is halved on the way
    assert change(found[0], found[1]) > 0  # it is alive


def test_mouths_open_and_close_all_over_the_loop(filmed: Filmed, models: FaceModels) -> None:
    for first in (0, 40, len(filmed.loop) - 3):
        pictures = list(filmed.turn(first, 3))
        warp = LipWarp(filmed.pictures[0], filmed.loop.meshes[0])
        seen = []
        for count, shape in enumerate((OPEN, CLOSED, REST)):
            mesh = filmed.loop.meshes[(first + count) % len(filmed.loop)]
            picture = pictures[count].copy()
            warp.draw(picture, shape, at=onto(mesh, filmed.loop.meshes[0]))
            seen.append(aperture(models.landmarks.measure(picture, Region.of_mesh(mesh)).mesh))
        assert seen[0] > 0.15
        assert max(seen[1:]) <= 0.04


def test_the_mouth_goes_where_the_head_has_gone(filmed: Filmed) -> None:
    layout = Layout(width_px=filmed.loop.size_px[0], height_px=filmed.loop.size_px[1])
    meshes = filmed.loop.meshes
    at = int(np.abs(meshes[:, 13, 0] - meshes[0, 13, 0]).argmax())
    assert abs(meshes[at, 13, 0] - meshes[0, 13, 0]) > 4
    wanted = filmed.pictures[at].copy()
    LipWarp(filmed.pictures[0], meshes[0]).draw(wanted, OPEN, at=onto(meshes[at], meshes[0]))

    found = drawn(filmed.engine(first=at), performed([OPEN]), layout)[0]

    x, y = meshes[at, 13, :2].astype(int)
    part = np.s_[y - 20 : y + 50, x - 40 : x + 40]
    assert change(found[part], wanted[part]) < 3  # chroma is halved on the way


def test_on_its_own_reference_it_draws_what_the_puppet_draws(filmed: Filmed) -> None:
    still, mesh = filmed.pictures[0], filmed.loop.meshes[0]
    puppet = Puppet(still, mesh)
    for shape in (OPEN, TARGETS[7], CLOSED):
        picture = still.copy()
        LipWarp(still, mesh).draw(picture, shape, at=np.eye(2, 3))
        assert change(picture, puppet.frame(shape)) < 0.05


def test_nothing_beyond_the_mouth_changes(filmed: Filmed) -> None:
    at = 50
    picture = filmed.pictures[at].copy()
    warp = LipWarp(filmed.pictures[0], filmed.loop.meshes[0])
    warp.draw(picture, OPEN, at=onto(filmed.loop.meshes[at], filmed.loop.meshes[0]))

    place = warp._place(warp.face.roi, onto(filmed.loop.meshes[at], filmed.loop.meshes[0]))
    assert place is not None
    x0, y0, x1, y1 = place.box
    changed = cv2.absdiff(picture, filmed.pictures[at]).max(2)
    assert changed[y0:y1, x0:x1].max() > 60
    changed[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3] = 0
    assert changed.max() <= 2  # no edge of the region shows


def test_the_same_frame_comes_out_of_any_part(filmed: Filmed) -> None:
    shapes = [REST, OPEN, CLOSED, OPEN]
    whole = drawn(filmed.engine(), performed(shapes))

    part = drawn(filmed.engine(first=2), performed(shapes[2:]))

    assert (part[0] == whole[2]).all()
    assert (part[1] == whole[3]).all()


def test_another_face_is_measured_anew(filmed: Filmed, models: FaceModels) -> None:
    lower = [np.roll(each, 7, axis=0) for each in filmed.pictures]  # a swapped face whose mouth sits lower
    references = [lower[at] for at in filmed.loop.references]

    told = filmed.engine(references=references, landmarks=models.landmarks)
    untold = filmed.engine(references=references)

    seam = [engine._warps[0].face.seam[5, 1] for engine in (untold, told)]
    assert seam[1] - filmed.engine()._warps[0].face.seam[5, 1] == pytest.approx(7, abs=2)
    assert seam[0] < seam[1] - 2


def test_a_network_speaks_over_a_loop_in_any_part(filmed: Filmed) -> None:
    def mouth(base: Base, embedded: Callable[[], DrivingEngine], *, first: int) -> DrivingEngine:
        assert embedded().name == filmed.engine().name
        return NeuralEngine(opened(), base, said, first=first)

    said = speech([("a", 0.4)])
    person = persons.Filmed(filmed.loop, filmed.path, filmed.info, mouth=mouth)
    whole = drawn(person.engine(None, first=0), performed([REST] * 10))

    part = drawn(person.engine(None, first=4), performed([REST] * 3))

    assert [change(a, b) for a, b in zip(part, whole[4:7], strict=True)] == [0, 0, 0]
    still = drawn(filmed.engine(), performed([REST] * 10))
    assert change(whole[5], still[5]) > 0.05
    assert change(whole[5][:200], still[5][:200]) == 0


def test_subtitles_come_and_go(filmed: Filmed) -> None:
    cue = Cue(1 / FPS, 2 / FPS, ("您好",))
    plain = drawn(filmed.engine(), performed([REST] * 3))

    found = drawn(filmed.engine(), performed([REST] * 3, cues=(cue,)))

    assert [(a == b).all() for a, b in zip(plain, found, strict=True)] == [True, False, True]


def test_a_person_cut_out_stands_before_the_background(filmed: Filmed, matting: Matting) -> None:
    pictures = filmed.pictures[:2]
    alpha = matting.alpha(pictures[0])
    small = cv2.resize(alpha, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    matte = cv2.imencode(".png", np.round(small * 255).astype(np.uint8))[1].tobytes()
    loop = Loop(filmed.loop.size_px, FPS, filmed.loop.meshes[:2], (matte, matte))
    engine = IdleEngine(loop, lambda *_: iter(pictures), references=pictures[:1])
    wide = Layout(width_px=960, height_px=560, colour=(0, 200, 0))

    found = drawn(engine, performed([REST, OPEN]), wide)[0]

    assert np.abs(found[20, 20].astype(int) - (0, 220, 0)).max() < 30
    face = filmed.loop.meshes[0][4, :2]
    x, y = int(face[0] + 480 - filmed.loop.size_px[0] / 2), int(face[1])
    assert change(found[y : y + 4, x : x + 4], pictures[0][y : y + 4, int(face[0]) : int(face[0]) + 4]) < 12

    clear = Layout(width_px=960, height_px=560, transparent=True)
    plate = Plate(pictures[0], alpha, loop.meshes[0])
    planes = next(engine.frames(plate, clear, performed([REST]), fps=FPS))
    assert planes.a is not None
    assert planes.a[20, 20] == 0
    assert planes.a[y, x] == 255


BAD_USE = {
    "another rate": (
        lambda f: next(f.engine().frames(None, SQUARE, performed([REST]), fps=30)),
        DrivingMismatchError,
    ),
    "no reference": (lambda f: f.engine(references=[]), DrivingMismatchError),
    "pictures that end": (
        lambda f: drawn(
            IdleEngine(f.loop, lambda a, n: f.turn(a, n - 1), references=f.pictures[:1]),
            performed([REST] * 3),
        ),
        DrivingMismatchError,
    ),
    "pictures of another size": (
        lambda f: drawn(
            IdleEngine(f.loop, lambda *_: iter([np.zeros((9, 9, 3), np.uint8)]), references=f.pictures[:1]),
            performed([REST]),
        ),
        DrivingMismatchError,
    ),
    "a frame much larger than the clip": (
        lambda f: drawn(f.engine(), performed([REST]), Layout(width_px=1920, height_px=1080)),
        SceneError,
    ),
    "a room that should not be there": (
        lambda f: drawn(f.engine(), performed([REST]), Layout(width_px=480, height_px=480, transparent=True)),
        SceneError,
    ),
}


@pytest.mark.parametrize("case", BAD_USE)
def test_what_does_not_fit_is_refused(case: str, filmed: Filmed) -> None:
    use, error = BAD_USE[case]
    with pytest.raises(error):
        use(filmed)


def test_the_clip_s_own_blinks_stay(filmed: Filmed) -> None:
    eyes = filmed.loop.meshes[0][[159, 386], :2].mean(0).astype(int)
    part = np.s_[eyes[1] - 9 : eyes[1] + 15, eyes[0] - 60 : eyes[0] + 60]
    steps = [change(a[part], b[part]) for a, b in zip(filmed.pictures, filmed.pictures[1:], strict=False)]
    assert max(steps) > 3 * float(np.median(steps))
