"""CPU of the face stages, one thread, at 720p; each with its share of the 60 ms that a frame may cost.

    python -m tests.bench.bench_faces [--home var] [--runs 20]

Milliseconds are CPU time of this process, the best of three rounds. ``ratio`` compares with the detector
of the same run, so that two machines, or one machine twice, can be compared.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from generation.engine.faces.landmarks import Region
from generation.engine.faces.models import FaceModels, load_face_models
from generation.engine.faces.portrait import analyse_portrait
from generation.engine.faces.track import Tracker
from generation.engine.swap.mesh import MeshSwapper
from generation.engine.swap.performer import performer_frames
from generation.engine.types import Image, Points

FRAME_MS = 60.0
WIDTHS_PX = (90, 160, 250, 374, 400)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("var"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    figures = measure(options.home / "weights", options.runs)
    if options.json:
        print(json.dumps(figures))
        return
    detector = figures["detect"]
    print(f"{'stage':<28}{'ms':>8}{'ratio':>8}{'of 60 ms':>10}")
    for stage, ms in figures.items():
        print(f"{stage:<28}{ms:>8.2f}{ms / detector:>8.2f}{ms / FRAME_MS:>10.0%}")


def measure(weights: Path, runs: int) -> dict[str, float]:
    """CPU milliseconds by stage."""
    models = load_face_models(weights, policy="commercial")
    astronaut, grace = (picture(weights / name) for name in ("astronaut.png", "grace_hopper.jpg"))
    mesh = marks(models, grace)
    clip = list(performer_frames(grace, mesh, models.triangles, seconds=1.0))
    frame = clip[0]
    found = models.detector.detect(frame)[0]
    seen = models.landmarks.settle(frame, found)
    region = Region.of_mesh(seen.mesh)
    figures = {
        "detect": best(lambda: models.detector.detect(frame), runs),
        "landmarks": best(lambda: models.landmarks.measure(frame, region), runs),
        "embed": best(lambda: models.embedder.embed(frame, seen.mesh), max(3, runs // 4)),
        "track, whole, a frame": tracked(models, clip),
        "portrait analysis": best(lambda: analyse_portrait(grace, models), 3),
        "performer, a frame": best(lambda: performed(models, grace, mesh), 1) / 10,
    }
    swapper = MeshSwapper(astronaut, marks(models, astronaut), models.triangles)
    width = float(np.ptp(mesh[:, 0]))
    for wanted in WIDTHS_PX:
        scale = wanted / width
        target, points = scaled(grace, mesh, scale)
        figures[f"swap, face of {wanted} px"] = best(partial(swapped, swapper, target, points), runs)
    return figures


def tracked(models: FaceModels, clip: list[Image]) -> float:
    """A second of the clip through the tracker: detection, landmarks and one embedding."""

    def run() -> None:
        tracker = Tracker(models, 25)
        for index, frame in enumerate(clip):
            tracker.update(frame, index, index / 25)

    return best(run, 1) / len(clip)


def performed(models: FaceModels, portrait: Image, mesh: Points) -> None:
    """Ten frames of the performer."""
    list(performer_frames(portrait, mesh, models.triangles, seconds=0.4))


def swapped(swapper: MeshSwapper, target: Image, points: Points) -> None:
    """One swap into a copy."""
    swapper.swap(target.copy(), points)


def best(call: Callable[[], object], runs: int) -> float:
    """CPU milliseconds a call, the best of three rounds."""
    call()
    rounds = []
    for _ in range(3):
        started = time.process_time()
        for _ in range(runs):
            call()
        rounds.append((time.process_time() - started) / runs * 1000)
    return min(rounds)


def picture(path: Path) -> Image:
    """A picture file, BGR."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{path} is missing; run `likeness weights pull starter`.")
    return image.astype(np.uint8, copy=False)


def marks(models: FaceModels, image: Image) -> Points:
    """The landmarks of the one face."""
    return models.landmarks.settle(image, models.detector.detect(image)[0]).mesh


def scaled(image: Image, mesh: Points, scale: float) -> tuple[Image, Points]:
    """The picture and its landmarks at another size."""
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=way).astype(np.uint8, copy=False)
    return resized, (mesh * np.float32(scale)).astype(np.float32)


if __name__ == "__main__":
    main()
