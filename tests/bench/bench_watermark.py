"""Speed and quality of the marks: ``python -m tests.bench.bench_watermark [CLIP.mp4[:HEIGHT] ...]``.

Prints CPU milliseconds for a 1080p frame (one OpenCV thread), PSNR and SSIM on the screen, the label's share,
the signing time against one SHA-256 pass over the same file, and how often the tags of random keys fit. With
clips, enlarged to HEIGHT if asked: what the mark costs in octets, and after what it still reads.
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
from scipy.stats import binom
from skimage.metrics import structural_similarity

from tests.watermark import attacks
from tests.watermark.conftest import MARK_ID, limited, portrait_bgr
from watermark import c2pa
from watermark.detect import read_mark
from watermark.evidence import Evidence
from watermark.invisible import Carrier, Embedder, segment_for
from watermark.payload import MarkKeys, message
from watermark.reading import decode, likeliest_bits, pilot_table, pilots, residual, sight, soft_bits
from watermark.search import Tally, at_identity, everywhere, groups_of
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


def frames_of(path: Path, seconds: float, height: int) -> tuple[list[np.ndarray], float]:
    """The first luma planes of a clip, limited range, and their rate; enlarged ones get noise back."""
    rng, out = np.random.default_rng(1), []
    with av.open(str(path)) as clip:
        rate = float(clip.streams.video[0].average_rate)
        for frame in clip.decode(video=0):
            luma = frame.to_ndarray(format="yuv420p")[: frame.height].copy()
            if height != frame.height:
                wide = round(frame.width * height / frame.height) // 2 * 2
                grown = cv2.resize(luma, (wide, height), interpolation=cv2.INTER_CUBIC)
                luma = np.clip(grown + rng.normal(0, 1.2, grown.shape), 0, 255).round().astype(np.uint8)
            out.append(luma)
            if len(out) >= seconds * rate:
                break
        return out, rate


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
    evidence, unmarked = Evidence(), Evidence()
    evidence.add(marked)
    unmarked.add(y)
    groups = groups_of([carrier])
    seen, numbers, even = evidence.upright(), np.zeros(1, np.intp), np.ones(1, np.float32)
    agreed = pilots(carrier, seen, numbers, even)
    soft = soft_bits(carrier, seen, numbers, even, agreed.agreement)
    second = iter(range(10**6))
    show("embed", lambda: embedder.embed(scratch))
    show("embed, first frame of a second", lambda: embedder.embed(scratch, float(next(second))))
    show("label, blend", lambda: label.blend(scratch, u, v))
    show("label, check", lambda: label.check(scratch))
    show("residual", lambda: residual(marked))
    show("tiles of a frame", lambda: sight(evidence.halves, [0.0]))
    show("pilots in all sets", lambda: pilot_table(carrier, seen))
    show("soft bits", lambda: soft_bits(carrier, seen, numbers, even, agreed.agreement))
    show("decode", lambda: decode(carrier, soft))
    show("a marked frame, all", lambda: at_identity(groups, evidence, Tally(), (0,)))
    show("whole search, nothing found", lambda: everywhere(groups, unmarked, Tally()), 1)
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


def chance(keys: int = 1500) -> None:
    """How often 8 bits of the tag fit an unmarked picture under random keys."""
    evidence = Evidence()
    evidence.add(limited(cv2.cvtColor(portrait_bgr(360, 640), cv2.COLOR_BGR2GRAY)))
    seen, numbers, even = evidence.upright(), np.zeros(1, np.intp), np.ones(1, np.float32)
    hits = 0
    for seed in range(keys):
        carrier = Carrier(MarkKeys((seed + 10**6).to_bytes(32, "big"), "null"))
        agreed = pilots(carrier, seen, numbers, even)
        bits = likeliest_bits(soft_bits(carrier, seen, numbers, even, agreed.agreement))
        mark_id = int.from_bytes(np.packbits(bits[:64]).tobytes(), "big")
        hits += np.array_equal(message(carrier.keys, mark_id or 1)[64:72], bits[64:72])
    low, high = (int(at) for at in binom.interval(0.999, keys, 1 / 256))
    print(f"8 bits of the tag fit {hits} of {keys} random keys; 99.9 % of chance lies in {low}..{high}")


ATTACKS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "crf 23": (lambda y: y, 23),
    "crf 28": (lambda y: y, 28),
    "crf 35": (lambda y: y, 35),
    "half, crf 28": (lambda y: attacks.resized(y, 0.5), 28),
    "crop 75, half, crf 28": (lambda y: attacks.resized(attacks.cropped(y, 0.75), 0.5), 28),
    "crop 25, crf 23": (lambda y: attacks.cropped(y, 0.25), 23),
    "rotate 2, crf 23": (lambda y: attacks.rotated(y, 2), 23),
    "mirror, half, crf 28": (lambda y: attacks.resized(attacks.mirrored(y), 0.5), 28),
}


def clip_table(carrier: Carrier, name: str, folder: Path) -> None:
    """What the mark costs a clip in octets, and after what it still reads."""
    path, _, height = name.partition(":")
    clean, rate = frames_of(
        Path(path), 4.0 if height in ("", "720") else 2.0, int(height or 0) or natural(path)
    )
    samples, (h, w) = clean[:: max(1, len(clean) // 5)][:5], clean[0].shape
    embedder = Embedder(carrier, MARK_ID, height=h, width=w, segment_s=segment_for(samples))
    embedder.servo(samples)
    marked = [y.copy() for y in clean]
    for at, y in enumerate(marked):
        embedder.embed(y, at / rate)
    print(
        f"{Path(path).name} {w} x {h}, {len(clean) / rate:.1f} s, {embedder.profile}, ",
        end="",
    )
    print(f"a pattern lasts {segment_for(samples):.0f} s; {quality(clean[5], marked[5])}")
    target, unmarked = folder / "clip.mp4", folder / "unmarked.mp4"
    attacks.x264(clean, 23, unmarked)
    twice = attacks.x264(marked, 23, target)
    print(f"  octets at CRF 23: x {target.stat().st_size / unmarked.stat().st_size:.3f}")
    jobs = {key: ([change(y) for y in marked], crf) for key, (change, crf) in ATTACKS.items()}
    jobs["crf 23, then half, crf 28"] = ([attacks.resized(y, 0.5) for y in twice], 28)
    for key, (planes, crf) in jobs.items():
        attacks.x264(planes, crf, target)
        start = time.process_time()
        mark = read_mark(target, carriers=[carrier], tally=Tally(budget_s=120))
        good = "ok" if mark.mark_id == MARK_ID else "NO"
        took = time.process_time() - start
        print(f"  {key:26s} {good} z {mark.z:6.1f} frames {mark.frames:2d} {took:5.2f} s CPU", flush=True)


def natural(path: str) -> int:
    """The height of a clip."""
    with av.open(path) as clip:
        return int(clip.streams.video[0].height)


def main(clips: list[str]) -> None:
    """Print all figures."""
    cv2.setNumThreads(1)
    carrier = Carrier(MarkKeys(bytes(range(32)), "bank-a"))
    with tempfile.TemporaryDirectory() as folder:
        speed(carrier)
        signing(Path(folder))
        chance()
        for clip in clips:
            clip_table(carrier, clip, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
