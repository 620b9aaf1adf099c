"""The demo's own footage: a performer's clip made from a portrait, a re-encoded copy, single pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from django.conf import settings

from generation.engine.errors import NoFaceError
from generation.engine.faces.models import load_face_models
from generation.engine.faces.portrait import analyse_portrait
from generation.engine.media.image import decode_image
from generation.engine.swap.performer import performer_frames, tone
from generation.engine.types import Image

FPS = 25
SECONDS = 6.0
WIDTH, HEIGHT = 1280, 720
RATE = 48_000
SAMPLED_FRAMES = 40


def write_performer(portrait: Path, path: Path) -> None:
    """A 720p clip with sound, made from one portrait: the head moves, turns and blinks."""
    models = load_face_models(settings.LIKENESS_WEIGHTS, policy=settings.LIKENESS_MODEL_POLICY)
    image = decode_image(portrait.read_bytes())
    mesh = analyse_portrait(image, models).mesh
    if mesh is None:
        raise NoFaceError(f"{portrait.name} does not show exactly one face.")
    frames = performer_frames(
        image, mesh, models.triangles, width=WIDTH, height=HEIGHT, fps=FPS, seconds=SECONDS
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with av.open(str(part), "w", format="mp4") as clip:
        video = clip.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "16"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = clip.add_stream("aac", rate=RATE)
        for frame in frames:
            clip.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="bgr24")))
        clip.mux(video.encode())
        _add_sound(clip, sound, tone(SECONDS, rate=RATE))
    part.replace(path)


def reencode(source: Path, target: Path, *, crf: int) -> None:
    """What a messenger does to a video: pictures decoded and encoded again, all metadata gone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(source)) as old, av.open(str(target), "w", format="mp4") as new:
        pictures = old.streams.video[0]
        video = new.add_stream(
            "libx264", rate=pictures.average_rate, options={"crf": str(crf), "preset": "medium"}
        )
        video.width, video.height, video.pix_fmt = pictures.width, pictures.height, "yuv420p"
        for frame in old.decode(pictures):
            frame.pts = None
            new.mux(video.encode(frame))
        new.mux(video.encode())


def clearest_face(clip: Path) -> bytes:
    """A PNG of the frame whose one face passes the enrolment gate and looks sharpest.

    Raises:
        NoFaceError: no sampled frame has one clear, frontal face.
    """
    models = load_face_models(settings.LIKENESS_WEIGHTS, policy=settings.LIKENESS_MODEL_POLICY)
    best: tuple[float, Image] | None = None
    with av.open(str(clip)) as opened:
        stream = opened.streams.video[0]
        step = max(1, (stream.frames or SAMPLED_FRAMES) // SAMPLED_FRAMES)
        for index, frame in enumerate(opened.decode(stream)):
            if index % step:
                continue
            image = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
            report = analyse_portrait(image, models)
            sharpness = float(cv2.Laplacian(image, cv2.CV_64F).var())
            if report.accepted and (best is None or sharpness > best[0]):
                best = (sharpness, image)
    if best is None:
        raise NoFaceError(
            f"No frame of {clip.name} shows one clear, frontal face to enrol the performer from."
        )
    return bytes(cv2.imencode(".png", best[1])[1])


def picture(data: bytes) -> Image:
    """Decode a picture."""
    return decode_image(data)


def write_png(path: Path, image: Image) -> None:
    """Write one picture."""
    cv2.imwrite(str(path), image)


def _add_sound(
    clip: av.container.OutputContainer, stream: av.AudioStream, samples: npt.NDArray[np.int16]
) -> None:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    clip.mux(stream.encode(frame))
    clip.mux(stream.encode())
