"""Attackers who know the method but not the key, and what their work costs the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import cv2
import numpy as np

from generation.engine.media.colour import from_planes, to_planes
from generation.engine.types import Planes
from tests.bench.attacks.clips import encode
from tests.bench.attacks.content import Clip
from tests.bench.attacks.gather import gathered
from tests.bench.attacks.marks import Ours
from tests.bench.attacks.measure import psnr
from tests.watermark.attacks import averaged, folded, pasted
from watermark.reading import residual

Plane = np.ndarray
STRENGTHS = (1.0, 1.5, 2.0)
SECONDS, SECONDS_QUICK = 8, 4
READ = 24
"""Frames of the attacked file: one second, so that an attack on one set is an attack on all that is read."""


@dataclass(frozen=True)
class Erased:
    """One attack: is the id still there, and how far is the picture from the unmarked one."""

    name: str
    exact: bool
    z: float
    psnr: float


@dataclass
class Seen:
    """What an attacker and the judge keep of a clip."""

    strength: float
    clean: list[Plane]
    marked: list[Plane]
    first: np.ndarray
    """Residual of the first frame, canonical."""
    seconds: list[np.ndarray]
    """Mean residual of every second."""


def erase(clip: Clip, mark: Ours, folder: Path, *, quick: bool = False) -> list[Erased]:
    """All attacks on the first second of a marked clip; the estimates come from more of it."""
    seen = _seen(clip, mark, SECONDS_QUICK if quick else SECONDS)
    rows = [_verdict("nothing", clip, seen, seen.marked, mark, folder)]
    for name, pattern, strengths in _estimates(seen):

        def attack(factor: float, name: str = name, pattern: np.ndarray = pattern) -> Erased:
            attacked = [pasted(y, pattern, -factor * seen.strength) for y in seen.marked]
            return _verdict(f"{name}, x {factor:.3g}", clip, seen, attacked, mark, folder)

        tried = {factor: attack(factor) for factor in (strengths[-1:] if quick else strengths)}
        rows += tried.values()
        rows += [attack(factor) for factor in _crossings(tried)]
    for name, denoise in DENOISERS.items():
        if not quick or name.startswith("Gaussian"):
            attacked = [denoise(y) for y in seen.marked]
            rows.append(_verdict(name, clip, seen, attacked, mark, folder))
    return rows


def _crossings(tried: dict[float, Erased]) -> Iterator[float]:
    """Where the pilots cross zero: the strength that an attacker would pick who could see them."""
    for (low, before), (high, after) in pairwise(tried.items()):
        if before.z > 0 > after.z:
            yield low + (high - low) * before.z / (before.z - after.z)


def _seen(clip: Clip, mark: Ours, seconds: int) -> Seen:
    rate = round(clip.fps)
    planes = (to_planes(frame).y for frame in clip.frames(seconds * rate))
    early = [next(planes) for _ in range(READ)]
    embedder = mark.embedder(*early[0].shape)
    seen = Seen(embedder.servo(early[::5]), [], [], np.zeros(0), [])
    total: np.ndarray | None = None
    for at, y in enumerate(chain(early, planes)):
        clean = y.copy()
        embedder.embed(y, at / clip.fps)
        if at < READ:
            seen.clean.append(clean)
            seen.marked.append(y)
        fresh = residual(y)
        seen.first = seen.first if at else fresh
        total = fresh if at % rate == 0 else total + fresh
        if at % rate == rate - 1:
            seen.seconds.append(total / rate)
    return seen


def _estimates(seen: Seen) -> Iterator[tuple[str, np.ndarray, tuple[float, ...]]]:
    """What an attacker takes for the pattern, and at which multiples of its strength it is subtracted."""
    for seconds in (2, 4, 8):
        if seconds <= len(seen.seconds):
            mean = np.mean(seen.seconds[:seconds], axis=0)
            yield f"mean of {seconds * READ} frames", averaged([mean]), STRENGTHS
    yield f"mean of {READ} frames, for each second anew", averaged(seen.seconds[:1]), STRENGTHS
    yield f"pilots gathered over {len(seen.seconds)} seconds", gathered(seen.seconds), (1.0, 1.25, 1.5)
    yield "fold of one frame", folded([seen.first]), (1.0,)
    yield f"fold of {READ} frames", folded(seen.seconds[:1]), (1.0,)


DENOISERS: dict[str, Callable[[Plane], Plane]] = {
    "Gaussian blur, sigma 2": lambda y: cv2.GaussianBlur(y, (0, 0), 2),
    "Gaussian blur, sigma 3": lambda y: cv2.GaussianBlur(y, (0, 0), 3),
    "median 5": lambda y: cv2.medianBlur(y, 5),
    "bilateral 9, 40, 5": lambda y: cv2.bilateralFilter(y, 9, 40, 5),
    "non-local means, h 6": lambda y: cv2.fastNlMeansDenoising(y, None, 6, 5, 13),
}


def _verdict(name: str, clip: Clip, seen: Seen, attacked: list[Plane], mark: Ours, folder: Path) -> Erased:
    """Read the attacked planes from a file of good quality."""
    target = folder / "erased.mp4"
    height, width = attacked[0].shape
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    frames = (from_planes(Planes(y=y, u=grey, v=grey)) for y in attacked)
    encode(frames, clip.fps, 18, target)
    found = mark.read(target)
    screen = np.float32(255 / 219)  # of a limited-range level
    left = [psnr(clean * screen, y * screen) for clean, y in zip(seen.clean[::8], attacked[::8], strict=True)]
    return Erased(name, found.exact, found.z, sum(left) / len(left))
