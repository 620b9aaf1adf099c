"""The order of the presenter: script, speech, mouth shapes, motion, driving video.

Nothing here asks whether it may: whoever calls it holds a permit for this face, this voice and this script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from generation.engine.faces.models import FaceModels
from generation.engine.faces.portrait import analyse_portrait
from generation.engine.look.matte import Matting
from generation.engine.types import Image, Planes
from generation.presenter.driving import DrivingEngine, Performance
from generation.presenter.errors import PlateRejectedError
from generation.presenter.film import write_film
from generation.presenter.loudness import Loudness, normalised
from generation.presenter.motion import joined as joined_motion
from generation.presenter.motion import motion, seed_of
from generation.presenter.puppet.geometry import APERTURE_MAX, aperture
from generation.presenter.scene import Layout, Plate, plate_size
from generation.presenter.script import Script
from generation.presenter.silhouette import firm
from generation.presenter.speech import Speech, SpeechEngine, Voice, joined, padded
from generation.presenter.subtitles import Cue, cues
from generation.presenter.visemes import Curves, Viseme, curves, track

FPS = 25
UNIT_MIN_PX = 80
"""Distance of the eyes at output size: below it the mouth is too soft to be read."""
TILT_MAX_DEG = 12.0

Progress = Callable[[str, int, int], None]
"""Stage, done, of."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A script that was said: sound, mouth shapes and subtitles, sentence by sentence and as a whole."""

    script: Script
    sentences: tuple[Speech, ...]
    speech: Speech
    visemes: tuple[Viseme, ...]
    shapes: Curves
    cues: tuple[Cue, ...]
    loudness: Loudness

    @property
    def duration_s(self) -> float:
        """Length in seconds, a whole number of frames."""
        return self.speech.duration_s


def speak(script: Script, *, engine: SpeechEngine, voice: Voice, fps: int = FPS) -> Spoken:
    """Say a script; each sentence is padded to whole frames, so that one can be said again alone.

    Raises:
        SpeechError: the engine is missing, dead, slow or silent, or its times cannot be relied on.
    """
    sentences = tuple(padded(engine.synthesize(segment, voice=voice), fps=fps) for segment in script.segments)
    return assemble(script, sentences, fps=fps)


def assemble(script: Script, sentences: Sequence[Speech], *, fps: int = FPS) -> Spoken:
    """The whole from its sentences, said now or earlier, at one loudness."""
    whole = joined(sentences)
    pcm, loudness = normalised(whole.pcm, rate=whole.sample_rate)
    speech = replace(whole, pcm=pcm)
    shapes = track(speech.phones)
    return Spoken(
        script,
        tuple(sentences),
        speech,
        shapes,
        curves(shapes, duration_s=speech.duration_s, fps=fps),
        cues(script, speech),
        loudness,
    )


def make_plate(portrait: Image, *, layout: Layout, models: FaceModels, matting: Matting) -> Plate:
    """A portrait at output size, with its landmarks and matte.

    Raises:
        PlateRejectedError: it cannot be driven; every failed check with its number.
    """
    width, height = plate_size(portrait, layout)
    how = cv2.INTER_AREA if height < portrait.shape[0] else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(portrait, (width, height), interpolation=how), np.uint8)
    report = analyse_portrait(picture, models)
    if report.mesh is None:
        raise PlateRejectedError("The portrait does not show exactly one face.", failed={"faces": 0.0})
    failed = _unfit(report.mesh, {name: float(value) for name, value in report.measures.items()})
    if failed:
        named = ", ".join(f"{name} {value:.2f}" for name, value in failed.items())
        raise PlateRejectedError(f"The portrait cannot be driven: {named}.", failed=failed)
    return Plate(picture, firm(picture, matting.alpha(picture)), report.mesh)


def _unfit(mesh: np.ndarray, measures: dict[str, float]) -> dict[str, float]:
    unit = float(np.linalg.norm(mesh[[33, 133], :2].mean(0) - mesh[[362, 263], :2].mean(0)))
    failed = {}
    if unit < UNIT_MIN_PX:
        failed["eye_distance_px"] = unit
    opened = aperture(mesh)
    if opened > APERTURE_MAX:
        failed["aperture"] = opened
    for name in ("yaw_deg", "pitch_deg", "roll_deg"):
        if abs(measures.get(name, 0.0)) > TILT_MAX_DEG:
            failed[name] = measures[name]
    return failed


def perform(spoken: Spoken, *, subtitles: bool = True, fps: int = FPS) -> Performance:
    """Articulation and motion of every frame; motion is each sentence's own."""
    frames = len(spoken.shapes)
    parts = []
    times_said: Counter[str] = Counter()  # a sentence moves alike wherever it stands, but not twice alike
    for segment, speech in zip(spoken.script.segments, spoken.sentences, strict=True):
        count = round(speech.duration_s * fps)
        seed = seed_of(f"{times_said[segment.spoken]}:{segment.spoken}")
        times_said[segment.spoken] += 1
        parts.append(motion(speech, seed=seed, fps=fps, frames=count))
    moved = joined_motion(parts)
    if len(moved) != frames:
        raise AssertionError(f"{len(moved)} frames of motion for {frames} of speech")
    return Performance(spoken.shapes, moved, spoken.cues if subtitles else ())


def drive(
    spoken: Spoken,
    *,
    plate: Plate,
    layout: Layout,
    engine: DrivingEngine,
    out: Path,
    subtitles: bool = True,
    progress: Progress | None = None,
) -> int:
    """Write the driving video; the number of its frames.

    Raises:
        SceneError: the layout does not hold the person or a subtitle.
        FilmError: the disk or the encoder failed.
    """
    performance = perform(spoken, subtitles=subtitles)
    total = len(performance.shapes)

    def counted() -> Iterator[Planes]:
        for at, planes in enumerate(engine.frames(plate, layout, performance, fps=FPS)):
            if progress is not None and at % FPS == 0:
                progress("drive", at, total)
            yield planes

    return write_film(
        out,
        counted(),
        size_px=(layout.width_px, layout.height_px),
        fps=FPS,
        pcm=spoken.speech.pcm,
        rate=spoken.speech.sample_rate,
    )
