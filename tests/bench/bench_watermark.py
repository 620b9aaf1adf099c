"""Speed and quality of the marks: ``python -m tests.bench.bench_watermark [CLIP.mp4 ...]``.

Prints CPU milliseconds for a 1080p frame (one OpenCV thread), PSNR and SSIM on the screen, the label's share,
and the signing time against one SHA-256 pass over the same file. With clips: how far each carries its mark.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import av
import cv2
import numpy as np
from skimage.metrics import structural_similarity

from tests.watermark import attacks
from tests.watermark.conftest import MARK_ID, limited, portrait_bgr
from watermark import c2pa
from watermark.detect import detect
from watermark.evidence import Evidence
from watermark.invisible import Carrier, Embedder, correlate, decode, residual
from watermark.payload import MarkKeys
from watermark.search import Tally, everywhere, groups_of
from watermark.visible import Label

HEIGHT, WIDTH = 1080, 1920


def cpu_ms(job: Callable[[], object], runs: int = 30) -> tuple[float, float]:
    """(least, median) CPU milliseconds."""
    took = []
    for _ in range(runs):
        start = time.process_time()
        job()
        took.append((time.process_time() - start) * 1e3)
    return min(took), float(np.median(took))


def show(name: str, job: Callable[[], object], runs: int = 30) -> None:
    """Print one line of a timing."""
    least, median = cpu_ms(job, runs)
    print(f"{name:34s} {least:8.2f} ms CPU least, {median:8.2f} median")


def frames_of(path: Path, count: int) -> list[np.ndarray]:
    """The first luma planes of a clip, limited range."""
    with av.open(str(path)) as clip:
        out = []
        for frame in clip.decode(video=0):
            out.append(frame.to_ndarray(format="yuv420p")[: frame.height].copy())
            if len(out) == count:
                break
        return out


def quality(y: np.ndarray, marked: np.ndarray) -> str:
    """PSNR on the screen, SSIM, and the change in the flattest areas."""
    change = (marked.astype(np.float32) - y) * (255 / 219)
    level = y.astype(np.float32)
    mean = cv2.blur(level, (9, 9))
    deviation = np.sqrt(np.maximum(cv2.blur(level * level, (9, 9)) - mean * mean, 0))
    rms = np.sqrt(cv2.blur(change * change, (9, 9)))[deviation <= np.percentile(deviation, 40)]
    psnr = 10 * np.log10(255**2 / np.mean(change**2))
    ssim, (p95, p99) = structural_similarity(y, marked), np.percentile(rms, [95, 99])
    return f"PSNR {psnr:.2f} dB, SSIM {ssim:.4f}, flat rms p95 {p95:.2f} p99 {p99:.2f}"


def speed(carrier: Carrier) -> None:
    """Everything that runs on each frame, and the parts of detection."""
    y = limited(cv2.cvtColor(portrait_bgr(HEIGHT, WIDTH), cv2.COLOR_BGR2GRAY))
    embedder = Embedder(carrier, MARK_ID, height=HEIGHT, width=WIDTH)
    embedder.servo([y])
    marked = y.copy()
    embedder.embed(marked)
    print(f"1080p strength {embedder.strength:.2f} {quality(y, marked)}")
    scratch, label = y.copy(), Label(WIDTH, HEIGHT)
    u, v = np.full((2, HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    total = residual(marked)
    found = correlate(carrier, total)
    evidence = Evidence()
    evidence.add(y)
    groups = groups_of([carrier])
    show("embed", lambda: embedder.embed(scratch))
    show("label, blend", lambda: label.blend(scratch, u, v))
    show("label, check", lambda: label.check(scratch))
    show("residual", lambda: residual(marked))
    show("correlate upright", lambda: correlate(carrier, total))
    show("decode", lambda: decode(carrier, found))
    show("whole search, nothing found", lambda: everywhere(groups, evidence, Tally()), 2)
    show("new carrier", lambda: Carrier(carrier.keys))
    show("new embedder", lambda: Embedder(carrier, MARK_ID, height=HEIGHT, width=WIDTH), 5)


def signing(folder: Path) -> None:
    """Signing and verifying a clip against one SHA-256 pass over it."""
    path, out = folder / "a.mp4", folder / "b.mp4"
    rng = np.random.default_rng(1)
    attacks.x264([rng.integers(16, 236, (720, 1280), dtype=np.uint8) for _ in range(40)], 12, path)
    chain = c2pa.make_chain("Sample Bank", datetime.now(UTC))
    statement = c2pa.ConsentStatement("con_1", "likeness.example/audit", 1, "ab" * 32, "2026-11")
    manifest = c2pa.ManifestInput("clip", MARK_ID, statement, datetime.now(UTC))

    def wall(job: Callable[[], object]) -> float:
        took = []
        for _ in range(5):
            start = time.perf_counter()
            job()
            took.append(time.perf_counter() - start)
        return min(took)

    digest = wall(lambda: hashlib.file_digest(path.open("rb"), "sha256"))
    sign = wall(lambda: c2pa.sign(path, out, manifest, chain.signer()))
    read = wall(lambda: c2pa.read(out, chain.root_pem))
    size, more = path.stat().st_size / 1e6, out.stat().st_size - path.stat().st_size
    print(f"C2PA on {size:.1f} MB: sign {sign * 1e3:.0f} ms ({sign / digest:.1f} x SHA-256), ", end="")
    print(f"read {read * 1e3:.0f} ms ({read / digest:.1f} x), {more} octets more")


def clip_table(carrier: Carrier, path: Path, folder: Path) -> None:
    """How far a real clip carries its mark, and what it costs in octets."""
    clean = frames_of(path, 48)
    height, width = clean[0].shape
    embedder = Embedder(carrier, MARK_ID, height=height, width=width)
    embedder.servo(clean[:: len(clean) // 5][:5])
    marked = [y.copy() for y in clean]
    for y in marked:
        embedder.embed(y)
    print(f"{path.name} {width} x {height} {embedder.profile} {embedder.strength:.2f}")
    print(f"  {quality(clean[5], marked[5])}")
    treated = {
        "crf 18": (lambda y: y, 18),
        "crf 23": (lambda y: y, 23),
        "crf 28": (lambda y: y, 28),
        "crf 35": (lambda y: y, 35),
        "half, crf 28": (lambda y: attacks.resized(y, 0.5), 28),
        "crop 75, crf 28": (lambda y: attacks.cropped(y, 0.75), 28),
        "rotate 2, crf 23": (lambda y: attacks.rotated(y, 2), 23),
        "mirror, crf 28": (attacks.mirrored, 28),
    }
    for name, (change, crf) in treated.items():
        target, unmarked = folder / "clip.mp4", folder / "unmarked.mp4"
        attacks.x264([change(y) for y in marked], crf, target)
        attacks.x264([change(y) for y in clean], crf, unmarked)
        mark = detect(target, carriers=[carrier], anchors_pem="").mark
        good = "ok" if mark.mark_id == MARK_ID else "NO"
        size = target.stat().st_size / unmarked.stat().st_size
        seen = f"z {mark.z:6.1f} frames {mark.frames:2d} {mark.seconds:5.2f} s"
        print(f"  {name:18s} {good} {seen} size x{size:.3f}")


def main(clips: list[str]) -> None:
    """Print all figures."""
    cv2.setNumThreads(1)
    carrier = Carrier(MarkKeys(bytes(range(32)), "bank-a"))
    with tempfile.TemporaryDirectory() as folder:
        speed(carrier)
        signing(Path(folder))
        for clip in clips:
            clip_table(carrier, Path(clip), Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
