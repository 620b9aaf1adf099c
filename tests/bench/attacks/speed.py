"""What marking and reading one 1080p frame costs, ours, the legacy code and the original taking turns."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from generation.engine.media.colour import to_planes
from tests.bench import peer
from tests.bench.attacks import content
from tests.bench.attacks.marks import MARK_ID, Ours
from watermark.evidence import Evidence
from watermark.haar import Method
from watermark.invisible import Profile
from watermark.legacy import decode_bits, embed_bits
from watermark.search import Tally, at_identity, groups_of


def speed(rounds: int) -> dict[str, float]:
    """Least CPU milliseconds of marking and reading one 1080p frame."""
    cv2.setNumThreads(1)
    frame = next(content.synthetic("moving", 1080, 1920).frames(1))
    ours, planes = Ours(Profile.STANDARD), to_planes(frame)
    embedder = ours.embedder(*planes.y.shape)
    embedder.servo([planes.y])
    marked, scratch = planes.y.copy(), planes.y.copy()
    embedder.embed(marked)
    bits = np.unpackbits(np.frombuffer(MARK_ID.to_bytes(8, "big"), np.uint8))
    theirs = {method: embed_bits(frame, bits) for method in Method}
    groups = groups_of([ours.carrier])

    def read() -> None:
        evidence = Evidence()
        evidence.add(marked)
        at_identity(groups, evidence, Tally(), (0,))

    jobs: dict[str, Callable[[], object]] = {
        "embed, ours": lambda: embedder.embed(scratch),
        "embed, legacy dwtDctSvd": lambda: embed_bits(frame, bits),
        "read, ours": read,
    }
    for method in Method:
        jobs[f"read, legacy {method}"] = lambda m=method: decode_bits(theirs[m], length=64, method=m)
    if package := peer.load():
        for method in peer.METHODS:
            jobs[f"embed, {method}"] = lambda m=method: peer.embed(package, frame, bits, m)
            jobs[f"read, {method}"] = lambda m=method: peer.decode(package, theirs[Method(m)], 64, m)
    least = least_cpu_ms({name: job for name, job in jobs.items() if name.startswith("embed")}, rounds)
    return least | least_cpu_ms({name: job for name, job in jobs.items() if name.startswith("read")}, rounds)


def least_cpu_ms(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Least CPU milliseconds of each job; the jobs take turns, so that a busy spell meets all of them."""
    took = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            took[name] = min(took[name], (time.process_time() - start) * 1e3)
    return took
