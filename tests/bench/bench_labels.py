"""What the visible label costs: blending it on each frame, and planning and checking it once a clip.

CPU time of one thread, the least of five runs; ``python -m tests.bench.bench_labels``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from watermark.placement import contrast, place
from watermark.profiles import PROFILES, Demand, Nature, Output, Wording, require
from watermark.visible import Label, Tone

SIZES = ((1920, 1080), (1080, 1920), (1280, 720), (640, 360))
TARGET_MS = 0.1  # per 1080p frame


def least_ms(job: Callable[[], object], times: int = 200) -> float:
    """CPU milliseconds of one call."""
    took = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            job()
        took.append((time.process_time() - start) / times)
    return min(took) * 1e3


def main() -> None:
    """Print one line for each label and size."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(1)
    worst = 0.0
    for width, height in SIZES:
        y = rng.integers(16, 236, (height, width), dtype=np.uint8)
        u, v = np.full((2, height // 2, width // 2), 128, np.uint8)
        for profile in PROFILES.values():
            for nature in Nature:
                asked = {"operator": Demand(wording=Wording.BOTH)}
                needed = require(profile, Output(nature), asked=asked)
                plan = place(
                    needed.text,
                    icon=needed.icon,
                    opening_s=0,
                    lumas=[y] * 5,
                    faces=[[(400, 100, 600, 300)]] * 24,
                )
                label = Label(width, height, plan.text, plan.look)
                blend = least_ms(lambda: label.blend(y, u, v))  # noqa: B023  called here only
                look = least_ms(lambda: label.check(y), 20)  # noqa: B023
                _x, _y, wide, tall = label.rectangle
                worst = max(worst, blend if height == 1080 else 0.0)
                print(
                    f"{width}x{height} {profile.code:<6}{nature:<10}{wide:>4}x{tall:<4}"
                    f"blend {blend:.3f} ms, check {look:.2f} ms, {plan.text}"
                )
    text = "AI GENERATED · 数字人 AI生成"
    lumas = [rng.integers(16, 236, (1080, 1920), dtype=np.uint8) for _ in range(5)]
    choose = lambda: place(text, icon=True, opening_s=0, lumas=lumas, faces=[[(400, 100, 600, 300)]] * 24)  # noqa: E731
    print(f"choose a place, 1080p, 5 frames, 24 looks: {least_ms(choose, 3):.1f} ms a clip")
    print(f"draw a label, 1080p: {least_ms(lambda: Label(1920, 1080, text), 3):.1f} ms a clip")
    least = min(max(contrast(tone, level) for tone in Tone) for level in range(16, 236))
    print(f"least contrast over all flat backgrounds: {least:.2f} : 1 (WCAG 2.2 AA asks 4.5)")
    print(f"worst 1080p blend {worst:.3f} ms of {TARGET_MS} ms: {'held' if worst <= TARGET_MS else 'MISSED'}")


if __name__ == "__main__":
    main()
