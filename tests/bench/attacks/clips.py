"""The eighteen things that happen to a clip; all of them end in H.264, as on any platform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from generation.engine.media.colour import Converter, to_frame, to_planes
from tests.bench.attacks.pictures import brighter, cropped, mirrored, resized, rotated

Image = np.ndarray


@dataclass(frozen=True)
class Attack:
    """What becomes of each frame, and the rate factor of the file that leaves."""

    name: str
    crf: int
    change: Callable[[Image], Image] = lambda f: f
    first_crf: int = 0
    """Above zero: the clip went through a file of this rate factor before."""
    keep_every: int = 1

    def run(self, frames: Iterable[Image], fps: float, target: Path) -> None:
        """Write the attacked clip."""
        if self.first_crf:
            before = target.with_suffix(".first.mp4")
            encode(frames, fps, self.first_crf, before)
            frames = decode(before)
        kept = (frame for at, frame in enumerate(frames) if at % self.keep_every == 0)
        encode(map(self.change, kept), fps, self.crf, target)


def encode(frames: Iterable[Image], fps: float, crf: int, target: Path) -> int:
    """H.264, preset medium, one thread, a key frame every two seconds; gives the octets of the file."""
    with av.open(str(target), "w", format="mp4") as out:
        stream = None
        for frame in frames:
            h, w = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
            if stream is None:
                stream = out.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
                stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
                stream.codec_context.thread_count = 1
                stream.options = {"crf": str(crf), "preset": "medium", "g": str(round(2 * fps))}
            out.mux(stream.encode(to_frame(to_planes(np.ascontiguousarray(frame[:h, :w])))))
        out.mux(stream.encode(None))
    return target.stat().st_size


def decode(path: Path, limit: int = 1 << 30) -> Iterator[Image]:
    """The frames of a clip as BGR."""
    convert = Converter()
    with av.open(str(path)) as clip:
        for at, frame in enumerate(clip.decode(video=0)):
            if at == limit:
                return
            yield convert.to_bgr(frame)


ATTACKS = (
    *(Attack(f"CRF {crf}", crf) for crf in (18, 23, 28, 35, 40)),
    *(Attack(f"half size, CRF {crf}", crf, lambda f: resized(f, 0.5)) for crf in (23, 28, 33)),
    Attack("third of the size, CRF 28", 28, lambda f: resized(f, 1 / 3)),
    Attack("crop to 75 %, CRF 28", 28, lambda f: cropped(f, 0.75)),
    Attack("crop to 75 %, half, CRF 28", 28, lambda f: resized(cropped(f, 0.75), 0.5)),
    Attack("crop to 50 %, CRF 28", 28, lambda f: cropped(f, 0.5)),
    Attack("crop to 25 %, CRF 23", 23, lambda f: cropped(f, 0.25)),
    Attack("rotation 2 degrees, CRF 23", 23, lambda f: rotated(f, 2)),
    Attack("brighter, crop to 75 %, CRF 28", 28, lambda f: brighter(cropped(f, 0.75), 1.25)),
    Attack("mirror, half, CRF 28", 28, lambda f: resized(mirrored(f), 0.5)),
    Attack("CRF 23, then half, CRF 28", 28, lambda f: resized(f, 0.5), first_crf=23),
    Attack("two of three frames dropped, CRF 28", 28, keep_every=3),
)
QUICK = ("CRF 28", "CRF 35", "half size, CRF 28", "crop to 75 %, half, CRF 28", "rotation 2 degrees, CRF 23")
