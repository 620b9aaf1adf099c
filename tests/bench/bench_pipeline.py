"""CPU and memory of one pass over a chunk, against decoding and encoding alone in the same run.

    python -m tests.bench.bench_pipeline [--home var] [--seconds 6]

Each figure comes from a child process of its own: CPU of all its threads after the models are loaded, peak
memory. "floor" is the same pass with nobody in it: decode, convert, encode. "work" is the whole: detection on
every frame, the classical swap, the visible label and the invisible id. "before encoding" is the sum of the
stages in the threads that decode, work and convert.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from generation.engine.chunk import ChunkPlan, Likeness, PipelineSettings
from generation.engine.faces.models import load_face_models
from generation.engine.faces.track import Tracker
from generation.engine.media.chunks import whole
from generation.engine.media.colour import to_planes
from generation.engine.media.decode import frames_at
from generation.engine.media.encode import EncodeSettings
from generation.engine.media.image import decode_image
from generation.engine.media.probe import probe
from generation.engine.pipeline import process
from generation.engine.swap.mesh import MeshSwapper
from generation.engine.types import Action, FrameFaces, Image, Verdict
from generation.marking import Finisher, measure_strength
from watermark.invisible import Carrier
from watermark.payload import MarkKeys

RATE = 25


class Nobody:
    """A tracker that sees no face, and a swapper that is never asked."""

    embedded = 0

    def update(self, *_: Any) -> tuple[()]:
        return ()

    def frame_faces(self, index: int, time_s: float) -> FrameFaces:
        return FrameFaces(index, time_s, 0, 0, ())

    def swap(self, *_: Any) -> Any:
        raise AssertionError


def draw_clip(path: Path, portrait: Image, *, size: tuple[int, int], seconds: float) -> None:
    """The portrait, moving over a textured ground, face about a quarter of the height."""
    width, height = size
    ground = np.random.default_rng(5).integers(60, 180, (height // 8, width // 8, 3), np.uint8)
    ground = cv2.resize(ground, size, interpolation=cv2.INTER_CUBIC)
    scale = 0.9 * height / portrait.shape[0]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(int(seconds * RATE)):
            shift = width * (0.2 + 0.1 * np.sin(number / 20))
            move = np.array([[scale, 0, shift], [0, scale, 0.05 * height]], np.float32)
            picture = cv2.warpAffine(
                portrait, move, size, dst=ground.copy(), borderMode=cv2.BORDER_TRANSPARENT
            )
            frame = av.VideoFrame.from_ndarray(picture, "bgr24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def allow(frame: FrameFaces) -> Mapping[int, Verdict]:
    return {face.track_id: Verdict(Action.SWAP) for face in frame.faces if face.track_id is not None}


def parts(what: str, path: Path, home: Path) -> dict[str, Any]:
    """The pass's parts: nobody for the floor, the real ones for the work."""
    info = probe(path)
    if what == "floor":
        nobody = Nobody()
        return {"tracker": nobody, "swapper": nobody, "guard": allow, "finish": lambda *_: None}
    models = load_face_models(home / "weights", policy="commercial")
    source = decode_image((home / "weights" / "astronaut.png").read_bytes())
    marks = models.landmarks.settle(source, models.detector.detect(source)[0])
    carrier = Carrier(MarkKeys(bytes(32), "bench"))
    samples = [to_planes(f.picture) for f in frames_at(path, info, [0.0, info.duration_s / 2])]
    plan = measure_strength(samples, size_px=info.output_size_px, carrier=carrier)
    return {
        "tracker": Tracker(models, float(info.rate)),
        "swapper": MeshSwapper(source, marks.mesh, models.triangles),
        "guard": allow,
        "finish": Finisher(plan, carrier),
        "likeness": Likeness(models.embedder, models.embedder.embed(source, marks.mesh)),
    }


def one(what: str, path: Path, home: Path) -> None:
    """The measured pass of a child process."""
    cv2.setNumThreads(1)
    given = parts(what, path, home)
    info = probe(path)
    settings = PipelineSettings(encode=EncodeSettings(preset="veryfast", crf=20))
    began, cpu = time.perf_counter(), time.process_time()
    report = process(
        ChunkPlan(path, info, whole(info), path.with_suffix(f".{what}.mp4")),
        progress=lambda *_: None,
        settings=settings,
        **given,
    )
    used = {k: v for k, v in report.stage_ms.items() if k not in ("encode", "process")}
    record = {
        "frames": report.frames,
        "swapped": report.swapped,
        "cpu_ms": round(1000 * (time.process_time() - cpu) / report.frames, 1),
        "wall_ms": round(1000 * (time.perf_counter() - began) / report.frames, 1),
        "before_encoding_ms": round(sum(used.values()), 1),
        "stages": report.stage_ms,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }
    print(json.dumps(record))


def measure(what: str, path: Path, home: Path) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "tests.bench.bench_pipeline",
        "--one",
        what,
        "--clip",
        str(path),
        "--home",
        str(home),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, default=Path("var"))
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--long", type=float, help="only 1080p of 10 s and of this many, for the memory")
    parser.add_argument("--one", choices=["floor", "work"])
    parser.add_argument("--clip", type=Path)
    args = parser.parse_args()
    if args.one:
        one(args.one, args.clip, args.home)
        return
    portrait = decode_image((args.home / "weights" / "grace_hopper.jpg").read_bytes())
    sizes = [("720p", (1280, 720), args.seconds), ("1080p", (1920, 1080), args.seconds)]
    if args.long:
        sizes = [(f"1080p {s:g} s", (1920, 1080), s) for s in (10.0, args.long)]
    with tempfile.TemporaryDirectory() as folder:
        for name, size, seconds in sizes:
            path = Path(folder) / f"{name.replace(' ', '-')}.mp4"
            draw_clip(path, portrait, size=size, seconds=seconds)
            floor, work = measure("floor", path, args.home), measure("work", path, args.home)
            ratio = round(work["cpu_ms"] / floor["cpu_ms"], 2)
            print(json.dumps({"clip": name, "ratio_to_floor": ratio, "floor": floor, "work": work}, indent=1))


if __name__ == "__main__":
    main()
