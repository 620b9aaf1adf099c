"""A picture of a template: its scene around an outline of a person, so that nobody's likeness is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generation import templating
from generation.engine.media.colour import from_planes, to_planes
from generation.engine.media.image import encode_png
from generation.engine.types import Image
from generation.presenter import templates
from generation.presenter.overlay import Scene
from generation.presenter.scene import FONT, Layout, backdrop

LONG_PX = 640
PERSON_ASPECT = 0.8  # width of a portrait for its height
INK, COVER = (226, 222, 216), 0.62  # BGR
SUBTITLE = "字幕 · Subtitles"
SUBTITLE_SIZE, SUBTITLE_FLOOR = 0.043, 0.055  # of the shorter side; of the height


def picture(document: Mapping[str, Any], *, tenant: str) -> bytes:
    """A PNG, at most 640 px long, of a version's document with sample values.

    Raises:
        TemplateInvalidError, TemplateUnusableError, SceneError: it cannot be drawn as it stands.
    """
    template = templates.read(document)
    values = templates.samples(template, image=templating.SAMPLE)
    return encode_png(_drawn(templating.scene(templates.fill(template, values), tenant=tenant)))


def _drawn(scene: Scene) -> Image:
    frame = backdrop(scene.layout, scene.background)
    _stand(frame, scene.layout)
    planes = to_planes(frame)
    for overlay in scene.overlays:
        overlay.blend(planes)
    frame = from_planes(planes)
    if scene.subtitles:
        _write(frame, scene.layout)
    scale = LONG_PX / max(frame.shape[:2])
    width, height = (round(side * scale) for side in (frame.shape[1], frame.shape[0]))
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _stand(frame: Image, layout: Layout) -> None:
    """An outline of head and shoulders where the portrait will stand, in place."""
    height = layout.height_px * layout.height_share
    width, top = height * PERSON_ASPECT, max(0.0, layout.height_px - height)
    middle = layout.width_px * layout.centre

    def at(x: float, y: float) -> tuple[int, int]:
        return round(middle + x * width), round(top + y * height)

    mask = np.zeros(frame.shape[:2], np.uint8)
    cv2.ellipse(mask, at(0, 1.02), (round(0.47 * width), round(0.40 * height)), 0, 0, 360, 255, -1)
    cv2.ellipse(mask, at(0, 0.60), (round(0.13 * width), round(0.12 * height)), 0, 0, 360, 255, -1)
    cv2.ellipse(mask, at(0, 0.36), (round(0.20 * width), round(0.20 * height)), 0, 0, 360, 255, -1)
    _lay(frame, mask, INK, COVER)


def _write(frame: Image, layout: Layout) -> None:
    """A line where the subtitles come, in place."""
    size = max(14, round(min(layout.width_px, layout.height_px) * SUBTITLE_SIZE))
    ink = np.zeros_like(frame)
    font = cv2.FontFace(FONT)
    narrow = np.zeros((size * 2, 8, 3), np.uint8)
    end, _ = cv2.putText(narrow, SUBTITLE, (0, size), (255, 255, 255), font, size, 600)
    left, base = (layout.width_px - int(end[0])) // 2, round(layout.height_px * (1 - SUBTITLE_FLOOR))
    cv2.putText(ink, SUBTITLE, (left, base), (255, 255, 255), font, size, 600)
    _lay(frame, cv2.dilate(ink[..., 0], np.ones((5, 5), np.uint8)), (0, 0, 0), 0.8)
    _lay(frame, ink[..., 0], (255, 255, 255), 1.0)


def _lay(frame: Image, mask: npt.NDArray[Any], colour: tuple[int, int, int], cover: float) -> None:
    share = (mask.astype(np.float32) * (cover / 255))[..., None]
    frame[:] = np.asarray(frame + (np.array(colour, np.float32) - frame) * share + 0.5, np.uint8)
