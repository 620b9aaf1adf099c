"""What a transparent clip costs beside H.264 of the same marked frames, 1080p, and what comes back of it.

    python -m tests.bench.bench_alpha [--home var] [--frames 60]

CPU of all threads. Ratios are taken within one run, so they hold on a loaded machine too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from generation.engine.look.matte import Matting
from generation.engine.media.alpha import AlphaWriter, over, read_covered
from generation.engine.media.encode import EncodeSettings, VideoWriter
from generation.engine.media.image import decode_image
from generation.engine.media.info import Keyframe, MediaInfo
from generation.engine.types import Planes
from generation.engine.weights.registry import load_registry
from generation.marking import Finisher, MarkPlan, measure_strength
from generation.presenter.scene import Layout, Plate, Stage, backdrop, plate_size
from generation.presenter.silhouette import firm
from watermark.invisible import Carrier
from watermark.payload import MarkKeys
from watermark.placement import LabelPlan
from watermark.readback import check_mark

REPOSITORY = Path(__file__).resolve().parents[2]
FPS = 25
MAE_MAX = 0.02
LAYOUT = Layout(transparent=True)


@dataclass(frozen=True)
class Cost:
    """Of one frame."""

    cpu_ms: float
    kb: float


def main() -> int:
    """Print a table; 1 when the cover or the mark did not come back."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=REPOSITORY / "var")
    parser.add_argument("--frames", type=int, default=60)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    plate = _plate(args.home / "weights")
    carrier = Carrier(MarkKeys(bytes(range(32)), "bench"))
    opaque, _ = _drawn(plate, Layout(), args.frames)
    drawn_ms, frames = _drawn(plate, LAYOUT, args.frames)
    few = [Planes(each.y.copy(), each.u.copy(), each.v.copy()) for each in frames[:: len(frames) // 4]]
    plan = measure_strength(few, size_px=(1920, 1080), carrier=carrier, label=LabelPlan("AI生成"))
    print(f"draw     {opaque:.1f} ms opaque, {drawn_ms:.1f} ms alone: {drawn_ms / opaque:.2f} times")
    print(f"finish   {_finished(frames, plan, carrier):.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        return _compared(frames, plan, carrier, Path(folder))


def _compared(frames: list[Planes], plan: MarkPlan, carrier: Carrier, folder: Path) -> int:
    plain = _written(VideoWriter, folder / "a.mp4", frames)
    ours = _written(AlphaWriter, folder / "a.webm", frames)
    for name, cost in (("H.264", plain), ("VP9+cover", ours)):
        print(f"{name:10}{cost.cpu_ms:.1f} ms CPU, {cost.kb:.2f} kB a frame")
    print(
        f"ratio    {ours.cpu_ms / plain.cpu_ms:.2f} times the CPU, {ours.kb / plain.kb:.2f} times the octets"
    )
    began = time.process_time()
    found = [planes for _, planes in read_covered(folder / "a.webm")]
    print(f"decode   {1000 * (time.process_time() - began) / len(found):.1f} ms CPU with the cover")
    pairs = [(got.a, made.a) for got, made in zip(found, frames, strict=True)]
    mae = float(
        np.mean([np.abs(a / 255.0 - b / 255.0).mean() for a, b in pairs if a is not None and b is not None])
    )
    z = check_mark(folder / "a.webm", carriers=[carrier], mark_id=plan.mark_id).z
    _written(VideoWriter, folder / "page.mp4", [over(planes, luma=235) for planes in found])
    laid = check_mark(folder / "page.mp4", carriers=[carrier], mark_id=plan.mark_id).z
    print(
        f"cover    error {mae:.5f} of {MAE_MAX}; mark z {z:.1f} in the file, {laid:.1f} over white as H.264"
    )
    return int(mae > MAE_MAX)


def _plate(weights: Path) -> Plate:
    portrait = decode_image((weights / "grace_hopper.jpg").read_bytes())
    large = cv2.resize(portrait, plate_size(portrait, LAYOUT), interpolation=cv2.INTER_AREA)
    picture = np.asarray(large, np.uint8)
    matting = Matting(load_registry().entry("selfie"), weights_dir=weights)
    return Plate(picture, firm(picture, matting.alpha(picture)), np.zeros((468, 3), np.float32))


def _drawn(plate: Plate, layout: Layout, count: int) -> tuple[float, list[Planes]]:
    """CPU milliseconds a frame without the start, and the frames of somebody who sways and is redrawn."""
    height, width = plate.picture.shape[:2]
    moving = [(width // 4, height // 4, 3 * width // 4, height // 2)]
    stage = Stage(plate, layout, backdrop(layout), moving=moving)
    began, frames = time.process_time(), []
    for at in range(count):
        sway = float(np.sin(at / 9))
        frames.append(stage.planes(plate.picture, roll_deg=sway / 2, shift=(2 * sway, 0.0), time_s=at / FPS))
    return 1000 * (time.process_time() - began) / count, frames


def _finished(frames: list[Planes], plan: MarkPlan, carrier: Carrier) -> float:
    finish, began = Finisher(plan, carrier), time.process_time()
    for at, planes in enumerate(frames):
        finish(planes, at, at / FPS)
    return 1000 * (time.process_time() - began) / len(frames)


def _written(kind: type[VideoWriter], path: Path, frames: list[Planes]) -> Cost:
    began = time.process_time()
    with kind(path, info=_info(len(frames)), settings=EncodeSettings()) as writer:
        for at, planes in enumerate(frames):
            writer.write(planes, at)
    cpu_ms = 1000 * (time.process_time() - began) / len(frames)
    return Cost(cpu_ms, path.stat().st_size / len(frames) / 1000)


def _info(frames: int) -> MediaInfo:
    return MediaInfo(
        container="performance", size_bytes=0, codec="", width_px=1920, height_px=1080, orientation=1,
        time_base=Fraction(1, FPS), start_pts=0, duration_s=frames / FPS, frame_count=frames,
        rate=Fraction(FPS), variable_rate=False, pixel_format="yuv420p", bit_depth=8, colour_space=1,
        full_range=False, interlaced=False, pixel_aspect=Fraction(1), keyframes=(Keyframe(0, 0),), audio=None,
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
