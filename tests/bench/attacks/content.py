"""What is marked and attacked: photographs from wheels, synthetic camera work, real clips where present."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from skimage import data

from generation.engine.media.colour import Converter, from_planes, to_planes

MEDIA = Path(__file__).parents[4] / "shared" / "media"
FPS = 24
SHORT_SIDE = 720

Image = np.ndarray
"""(h, w, 3) uint8, BGR."""


@dataclass(frozen=True)
class Clip:
    """A clip whose frames are made or decoded when they are asked for."""

    name: str
    fps: float
    count: int
    make: Callable[[int], Iterator[Image]]
    """make(count): the first frames."""

    def frames(self, count: int) -> Iterator[Image]:
        """The first frames as a player would show them: 8 bit 4:2:0, even-sized."""
        yield from map(as_shown, self.make(min(count, self.count)))


def as_shown(picture: Image) -> Image:
    """The picture, even-sized, as a player shows it once it was 8 bit 4:2:0: what all marks start from."""
    even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
    return from_planes(to_planes(np.ascontiguousarray(even)))


# ---- pictures -----------------------------------------------------------------------------------


def _bgr(rgb: np.ndarray) -> Image:
    return np.ascontiguousarray(rgb[..., 2::-1])


def _mirrored_on(picture: Image, height: int, width: int) -> Image:
    """A small photograph at its own resolution until the frame is full: enlarged it would lack texture."""
    tall, wide = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
    left = wide // 2
    padded = np.pad(picture, ((0, tall), (left, wide - left), (0, 0)), "symmetric")
    return np.ascontiguousarray(padded[:height, :width])


def _at_720(picture: Image) -> Image:
    scale = SHORT_SIDE / min(picture.shape[:2])
    if scale < 1:
        return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return _mirrored_on(picture, SHORT_SIDE, 960)


def pictures() -> dict[str, Image]:
    """Five photographs with a short side of 720, the first two real portraits where they are present."""
    named = {
        "astronaut": data.astronaut(),
        "coffee": data.coffee(),
        "motorcycle": data.stereo_motorcycle()[0],
        "rocket": data.rocket(),
        "hubble": data.hubble_deep_field(),
    }
    found = {name: _at_720(_bgr(picture)) for name, picture in named.items()}
    for path in sorted(MEDIA.glob("*-portrait.jpg"))[:2]:
        found.popitem()
        found = {path.stem.removesuffix("-official-portrait"): _at_720(cv2.imread(str(path))), **found}
    return found


# ---- clips --------------------------------------------------------------------------------------


@cache
def _wall() -> Image:
    """(1700, 2900, 3): photographs side by side, mirrored on below."""
    shots = (data.astronaut(), data.coffee(), data.rocket(), data.stereo_motorcycle()[0], data.chelsea())
    return _mirrored_on(
        np.hstack([_mirrored_on(_bgr(shot), 560, shot.shape[1]) for shot in shots]), 1700, 2900
    )


def _noisy(frame: Image, at: int, sigma: float) -> Image:
    """With the noise of a sensor, which is what a codec spends its bits on."""
    noise = np.random.default_rng(at).standard_normal(frame.shape[:2], np.float32) * sigma
    return cv2.add(frame, cv2.merge([noise] * 3), dtype=cv2.CV_8U)


def _moving(height: int, width: int) -> Callable[[int], Iterator[Image]]:
    """A camera that pans, turns and zooms over the wall."""

    def make(count: int) -> Iterator[Image]:
        k = height / 1080
        for at in range(count):
            turn = cv2.getRotationMatrix2D((1450, 850), 1.5 - 0.015 * at, (1.04 + 0.0008 * at) * k)
            turn[:, 2] -= (
                1450 - width / 2 - 420 * k + 3.1 * k * at,
                850 - height / 2 - 60 * k + 0.9 * k * at,
            )
            frame = cv2.warpAffine(
                _wall(), turn, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT
            )
            yield _noisy(frame, at, 1.2)

    return make


@cache
def _speaker(height: int, width: int) -> Image:
    """A portrait before a background that is out of focus."""
    portrait = cv2.resize(_bgr(data.astronaut()), (height, height), interpolation=cv2.INTER_CUBIC)
    far = cv2.resize(_bgr(data.coffee()), (width, height), interpolation=cv2.INTER_CUBIC)
    scene = cv2.GaussianBlur(far, (0, 0), 14 * height / 1080)
    x, left = np.arange(height) / height, (width - height) // 2
    soft = np.clip(np.minimum(x, 1 - x) * 8, 0, 1)[None, :, None]
    part = scene[:, left : left + height]
    part[:] = np.round(portrait * soft + part * (1 - soft)).astype(np.uint8)
    return scene


def _talking(height: int, width: int) -> Callable[[int], Iterator[Image]]:
    """A still camera; the head sways, the mouth moves, the rest stands."""

    def make(count: int) -> Iterator[Image]:
        k = height / 1080
        y, x = np.mgrid[:height, :width].astype(np.float32)
        face_x, face_y = (width - height) / 2 + 475 * k, 253 * k
        head = np.exp(-(((x - face_x) / (260 * k)) ** 2) - ((y - face_y) / (280 * k)) ** 2)
        mouth = np.exp(-(((x - face_x) / (60 * k)) ** 2) - ((y - face_y - 80 * k) / (40 * k)) ** 2)
        for at in range(count):
            time = at / FPS
            sway, nod, lips = 7 * np.sin(2.7 * time), 4 * np.sin(3.9 * time + 1), 5 * np.sin(29 * time)
            across, down = x + float(k * sway) * head, y + float(k * nod) * head + float(k * lips) * mouth
            frame = cv2.remap(_speaker(height, width), across, down, cv2.INTER_LINEAR)
            yield _noisy(frame, at, 1.0)

    return make


def _decoded(path: Path) -> Callable[[int], Iterator[Image]]:
    def make(count: int) -> Iterator[Image]:
        convert = Converter()
        with av.open(str(path)) as clip:
            for at, frame in enumerate(clip.decode(video=0)):
                if at == count:
                    return
                yield convert.to_bgr(frame)

    return make


def synthetic(name: str, height: int, width: int) -> Clip:
    """ "moving" or "talking", at any size."""
    make = _moving(height, width) if name == "moving" else _talking(height, width)
    return Clip(f"{name} {height}p", FPS, 240, make)


def real() -> list[Clip]:
    """The clips beside the project, at their own size."""
    found = []
    for name in ("talking-man-480x270", "signing-man-640x480"):
        path = MEDIA / f"{name}.mp4"
        if path.is_file():
            with av.open(str(path)) as clip:
                stream = clip.streams.video[0]
                found.append(Clip(name, float(stream.average_rate), stream.frames, _decoded(path)))
    return found
