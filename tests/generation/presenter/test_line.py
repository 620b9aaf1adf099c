from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from generation.engine.faces.models import FaceModels
from generation.engine.look.matte import Matting, foreground
from generation.engine.media.colour import from_planes, to_planes
from generation.engine.types import Image
from generation.engine.weights.registry import load_registry
from generation.presenter.cutout import Cutout
from generation.presenter.driving import PuppetEngine
from generation.presenter.errors import FilmError, PlateRejectedError, SceneError
from generation.presenter.film import write_film
from generation.presenter.line import FPS, Spoken, assemble, drive, make_plate, perform, speak
from generation.presenter.motion import motion
from generation.presenter.normalise import Language
from generation.presenter.scene import Layout, Plate, Stage, backdrop
from generation.presenter.script import read
from generation.presenter.silhouette import completed, firm
from generation.presenter.speech import Voice
from tests.generation.presenter.tones import ToneEngine

SMALL = Layout(width_px=640, height_px=360)


@pytest.fixture(scope="module")
def matting(weights_dir: Path) -> Matting:
    return Matting(load_registry().entry("selfie"), weights_dir=weights_dir)


@pytest.fixture(scope="module")
def large() -> Layout:
    return Layout(width_px=1280, height_px=720)


@pytest.fixture(scope="module")
def plate(grace_hopper: Image, large: Layout, models: FaceModels, matting: Matting) -> Plate:
    return make_plate(grace_hopper, layout=large, models=models, matting=matting)


def spoken(text: str = "您好。请还款。") -> Spoken:
    return speak(read(text, language=Language.ZH), engine=ToneEngine(), voice=Voice("v"))


def test_a_script_becomes_a_driving_video(plate: Plate, large: Layout, tmp_path: Path) -> None:
    found, out, seen = spoken(), tmp_path / "drive.mp4", []

    frames = drive(
        found, plate=plate, layout=large, engine=PuppetEngine(), out=out, progress=lambda *a: seen.append(a)
    )

    with av.open(str(out)) as film:
        video, sound = film.streams.video[0], film.streams.audio[0]
        assert (video.width, video.height, video.average_rate) == (1280, 720, FPS)
        assert sum(1 for _ in film.decode(video)) == frames == round(found.duration_s * FPS)
        film.seek(0)
        heard = sum(frame.samples for frame in film.decode(sound)) / 48_000
    assert heard == pytest.approx(found.duration_s, abs=0.1)
    assert seen[0] == ("drive", 0, frames)
    assert not list(tmp_path.glob("*.part"))


def test_a_failed_video_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FilmError):
        write_film(
            tmp_path / "none.mp4", [], size_px=(64, 64), fps=25, pcm=np.zeros(10, np.int16), rate=22_050
        )

    assert not list(tmp_path.iterdir())


def test_every_sentence_moves_by_itself(plate: Plate) -> None:
    first, second = spoken("您好。请还款。"), spoken("您好。请立即还款。")

    one, two = perform(first), perform(second)
    unchanged = round(first.sentences[0].duration_s * FPS)

    assert (one.motion.roll_deg[:unchanged] == two.motion.roll_deg[:unchanged]).all()
    assert (one.motion.blink[:unchanged] == two.motion.blink[:unchanged]).all()
    assert np.abs(one.motion.shift[[0, unchanged - 1, unchanged, -1]]).max() < 0.5


def test_sentences_said_earlier_can_be_used_again() -> None:
    found = spoken()

    again = assemble(found.script, found.sentences)

    assert (again.shapes == found.shapes).all()
    assert again.cues == found.cues


def test_a_blink_keeps_off_the_ends() -> None:
    speech = spoken("您好" * 30 + "。").sentences[0]
    frames = round(speech.duration_s * FPS)

    found = motion(speech, seed=3, fps=FPS, frames=frames)

    assert found.blink.max() == 1
    assert found.blink[:6].max() == found.blink[-6:].max() == 0


def test_a_picture_without_a_face_is_refused(matting: Matting, models: FaceModels) -> None:
    with pytest.raises(PlateRejectedError, match="exactly one face"):
        make_plate(np.full((512, 512, 3), 127, np.uint8), layout=SMALL, models=models, matting=matting)


def test_a_portrait_too_small_to_drive_is_refused_with_its_number(
    astronaut: Image, matting: Matting, models: FaceModels
) -> None:
    with pytest.raises(PlateRejectedError, match="eye_distance_px") as raised:
        make_plate(astronaut, layout=SMALL, models=models, matting=matting)

    assert 20 < raised.value.failed["eye_distance_px"] < 80


@pytest.mark.parametrize(
    "bad",
    [
        {"width_px": 641},
        {"height_px": 100},
        {"height_share": 0.1},
        {"centre": 1.2},
    ],
)
def test_a_layout_that_holds_nobody_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(SceneError):
        Layout(**bad)  # type: ignore[arg-type]


def test_a_background_of_another_size_is_refused(plate: Plate, large: Layout) -> None:
    with pytest.raises(SceneError, match="another size"):
        Stage(plate, large, backdrop(SMALL))


def test_the_background_stands_still_and_the_person_does_not(plate: Plate, large: Layout) -> None:
    stage = Stage(plate, large, backdrop(large))
    still = stage.planes(plate.picture, roll_deg=0, shift=(0, 0), time_s=0)
    moved = stage.planes(plate.picture, roll_deg=0.5, shift=(3, 2), time_s=0)

    assert (still.y[:, :200] == moved.y[:, :200]).all()
    assert np.abs(still.y.astype(int) - moved.y)[:, 500:780].max() > 20


def test_the_matte_finds_the_person(plate: Plate) -> None:
    height, width = plate.alpha.shape

    assert plate.alpha[height // 2, width // 2] > 0.95
    assert plate.alpha[:20, :20].max() < 0.2


def test_the_old_background_is_taken_out_of_the_edge() -> None:
    alpha = np.clip((np.arange(540)[None] - 260) / 20, 0, 1).astype(np.float32).repeat(540, axis=0)
    skin, wall = np.array([130, 150, 205], np.float32), np.array([250, 40, 30], np.float32)
    picture = (skin * alpha[..., None] + wall * (1 - alpha[..., None])).astype(np.uint8)

    found = foreground(picture, alpha).astype(float)

    edge = found[270, 268:276]
    assert np.abs(edge - skin).mean() < 25
    assert np.abs(picture[270, 268:276].astype(float) - skin).mean() > 40


@pytest.mark.parametrize("size", [(120, 90), (121, 91)])
def test_a_cutout_is_laid_over_a_frame_like_its_colours(size: tuple[int, int]) -> None:
    width, height = size
    columns = np.linspace(40, 220, width, dtype=np.float32)[None].repeat(height, axis=0)
    own = np.dstack([columns, columns[:, ::-1], np.full_like(columns, 90)]).astype(np.uint8)
    alpha = np.clip(1.6 - np.abs(np.linspace(-2, 2, width, dtype=np.float32)), 0, 1)[None].repeat(height, 0)
    ground = np.full((160, 200, 3), (150, 110, 60), np.uint8)
    cutout = Cutout(own, alpha, moving=[(41, 31, 60, 50)])
    changed = own.copy()
    changed[31:50, 41:60] = 255
    want = ground.astype(np.float32)
    want[40 : 40 + height, 20 : 20 + width] += alpha[..., None] * (changed - want[40:, 20:][:height, :width])

    frame = to_planes(ground)
    cutout.take(changed)
    cutout.onto(frame, (0, 0, 200, 160), turn=np.array([[1, 0, 20], [0, 1, 40]], np.float64))

    seen = np.abs(from_planes(frame).astype(int) - want)[42 : 38 + height, 22 : 18 + width]
    assert np.percentile(seen, 98) <= 4  # chroma is halved: only at the sharp border of the change it differs


def test_a_doubtful_rest_of_the_background_is_cut_off() -> None:
    rng = np.random.default_rng(2)
    picture = np.full((540, 540, 3), (40, 40, 200), np.uint8)
    picture[120:, 180:360] = (150, 130, 110)
    picture = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
    alpha = np.zeros((540, 540), np.float32)
    alpha[120:, 180:360] = 1
    alpha[200:300, 360:400] = 0.7

    found = firm(picture, alpha)

    assert found[200:300, 370:395].max() < 0.05
    assert found[160:, 200:340].min() > 0.95
    assert (firm(picture, alpha) == found).all()


def test_a_matte_without_a_person_stays_as_it_is() -> None:
    nothing = np.zeros((300, 200), np.float32)

    assert (firm(np.full((300, 200, 3), 90, np.uint8), nothing) == nothing).all()


def test_an_arm_cut_off_by_the_portrait_runs_down_to_the_lower_edge() -> None:
    picture = np.full((400, 300, 3), (60, 30, 20), np.uint8)
    alpha = np.zeros((400, 300), np.float32)
    alpha[180:, 100:] = 1

    own, found, grown = completed(picture, alpha)

    assert own.shape == (400, 300 + 2 * grown, 3)
    assert (found[:, grown : grown + 300] == alpha).all()
    assert found[:, :grown].max() == found[:, -1].max() == 0  # nobody on the left; nothing last
    widths = (found[:, grown + 300 :] > 0.5).sum(1)
    assert (np.diff(widths[180:]) >= 0).all()
    assert widths[:180].max() == 0
    assert widths[-1] > 0.7 * grown


def test_brows_rise_on_stressed_sounds_and_not_on_every_one() -> None:
    speech = spoken("您好" * 30 + "。").sentences[0]
    stressed = replace(speech, phones=tuple(replace(each, stress=2) for each in speech.phones))
    frames = round(speech.duration_s * FPS)

    flat, lively = (motion(each, seed=3, fps=FPS, frames=frames) for each in (speech, stressed))

    assert flat.brow.max() == 0
    rises = (np.diff(np.sign(np.diff(lively.brow))) < 0).sum()
    assert 1 <= rises <= speech.duration_s / 1.3 + 1
    assert max(lively.brow[0], lively.brow[-1]) < 0.02


def test_a_head_that_fills_its_portrait_fades_out_at_the_sides() -> None:
    _, found, grown = completed(np.full((400, 300, 3), 90, np.uint8), np.ones((400, 300), np.float32))

    assert (np.diff(found[200, grown + 300 :]) <= 0).all()
    assert (found[:, grown + 300 :] == found[200, grown + 300 :]).all()
    assert found[:, -1].max() == found[:, 0].max() == 0
