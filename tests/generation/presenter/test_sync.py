from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest

from generation.engine.faces.models import FaceModels
from generation.engine.look.matte import Matting
from generation.engine.media.probe import probe
from generation.engine.types import Image
from generation.engine.weights.registry import load_registry
from generation.presenter.driving import PuppetEngine
from generation.presenter.errors import SyncUnmeasuredError
from generation.presenter.espeak import EspeakEngine
from generation.presenter.line import FPS, Spoken, drive, make_plate, speak
from generation.presenter.normalise import Language
from generation.presenter.scene import Layout
from generation.presenter.script import read
from generation.presenter.speech import Voice
from generation.presenter.sync import Bounds, SyncReport, agreement, measure

pytestmark = pytest.mark.skipif(
    find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is not installed"
)
HD = Layout(width_px=1280, height_px=720)
CLOSE = Layout(width_px=1280, height_px=720, height_share=1.45)


@pytest.fixture(scope="module")
def matting(weights_dir: Path) -> Matting:
    return Matting(load_registry().entry("selfie"), weights_dir=weights_dir)


def film(
    text: str,
    language: Language,
    portrait: Image,
    layout: Layout,
    out: Path,
    models: FaceModels,
    matting: Matting,
) -> Spoken:
    engine = EspeakEngine()
    spoken = speak(read(text, language=language), engine=engine, voice=Voice("sample"))
    engine.close()
    plate = make_plate(portrait, layout=layout, models=models, matting=matting)
    drive(spoken, plate=plate, layout=layout, engine=PuppetEngine(), out=out)
    return spoken


@pytest.fixture(scope="module")
def clip(
    grace_hopper: Image, models: FaceModels, matting: Matting, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Spoken]:
    out = tmp_path_factory.mktemp("sync") / "clip.mp4"
    return out, film("您好。请不要把密码告诉别人。", Language.ZH, grace_hopper, HD, out, models, matting)


def report(path: Path, spoken: Spoken, models: FaceModels, bounds: Bounds | None = None) -> SyncReport:
    return measure(
        path,
        probe(path),
        speech=spoken.speech,
        visemes=spoken.visemes,
        shapes=spoken.shapes,
        fps=FPS,
        models=models,
        bounds=bounds,
    )


def with_sound(path: Path, out: Path, *, late_frames: int) -> Path:
    """The same pictures with the sound moved."""
    with av.open(str(path)) as old, av.open(str(out), "w", format="mp4") as new:
        streams = {
            stream.index: new.add_stream_from_template(stream)
            for stream in (old.streams.video[0], old.streams.audio[0])
        }
        for packet in old.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio":
                moved = int(Fraction(late_frames, FPS) / packet.time_base)
                packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return out


def test_a_driven_clip_holds_every_bound(clip: tuple[Path, Spoken], models: FaceModels) -> None:
    found = report(*clip, models)

    assert found.failed == ()
    assert found.landmarks.r >= 0.85
    assert found.pixels.r >= 0.75
    assert found.closures == found.closures_held >= 2
    assert abs(found.shift_ms) <= 25


@pytest.mark.parametrize("frames", [-2, 2])
def test_sound_two_frames_off_fails(
    frames: int, clip: tuple[Path, Spoken], models: FaceModels, tmp_path: Path
) -> None:
    path, spoken = clip
    rate = spoken.speech.sample_rate
    moved = replace(
        spoken,
        speech=replace(spoken.speech, pcm=np.roll(spoken.speech.pcm, -frames * rate // FPS)),
    )

    found = report(path, moved, models)

    assert "sound.shift" in found.failed
    assert found.shift_ms == pytest.approx(frames * 1000 / FPS, abs=15)


def test_sound_moved_in_the_file_fails(clip: tuple[Path, Spoken], models: FaceModels, tmp_path: Path) -> None:
    late = with_sound(clip[0], tmp_path / "late.mp4", late_frames=2)

    found = report(late, clip[1], models)

    assert "sound.shift" in found.failed


def test_another_scripts_mouth_fails(clip: tuple[Path, Spoken], models: FaceModels) -> None:
    path, spoken = clip
    rolled = replace(spoken, shapes=np.roll(spoken.shapes, 25, axis=0))

    found = report(path, rolled, models)

    assert {"landmarks.r", "pixels.r"} <= set(found.failed)


def test_a_mouth_that_never_closes_fails(clip: tuple[Path, Spoken], models: FaceModels) -> None:
    assert "rest" in report(*clip, models, replace(Bounds(), rest=0.001)).failed


def test_a_clip_that_ends_early_is_not_measured(clip: tuple[Path, Spoken], models: FaceModels) -> None:
    path, spoken = clip
    longer = replace(spoken, shapes=np.vstack([spoken.shapes, spoken.shapes]))

    with pytest.raises(SyncUnmeasuredError, match="frames"):
        report(path, longer, models)


def test_the_smiling_portrait_driven_directly_holds_its_bounds(
    astronaut: Image, models: FaceModels, matting: Matting, tmp_path: Path
) -> None:
    out = tmp_path / "smile.mp4"
    spoken = film("Maps help.", Language.EN, astronaut, CLOSE, out, models, matting)

    found = report(out, spoken, models, Bounds.smiling())

    assert found.failed == ()
    assert found.closures == found.closures_held == 3


@pytest.mark.parametrize("lag", [-3, 0, 2])
def test_lag_is_found_with_its_sign(lag: int) -> None:
    want = np.random.Generator(np.random.PCG64(1)).normal(size=200)

    found = agreement(np.roll(want, lag), want)

    assert found.lag == lag
    assert found.r > 0.95
