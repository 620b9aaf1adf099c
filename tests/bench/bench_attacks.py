"""The attack table beside invisible-watermark: ``python -m tests.bench.bench_attacks [--quick]``.

Marks photographs and clips with our mark in both strengths and with dwtDct and dwtDctSvd, attacks the files,
reads them, and prints Markdown. Pictures, clips and marks are spread over processes; ``make peer`` installs
the peer, and without it its columns stay away. Speed is CPU time, measured alone at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from tests.bench import peer
from tests.bench.attacks import clips, content, pictures, report, speed, targets, tasks

PARTS = ("pictures", "clips", "erase", "null", "speed")
KEYS, KEYS_QUICK = 1536, 96
OURS = ("ours 46 dB", "ours 44 dB")


class Run:
    """Work handed to processes, and what came back."""

    def __init__(self, pool: ProcessPoolExecutor, *, quick: bool) -> None:
        self.quick = quick
        self._pool = pool
        self._waiting: dict[str, list[Future[Any]]] = {}
        self.came: dict[str, list[Any]] = {}
        """Answers by part."""
        self.marks = [*OURS, *(peer.METHODS if peer.load() else ())]

    def add(self, part: str, task: Callable[[Any], Any], job: object) -> None:
        """Queue one task."""
        self._waiting.setdefault(part, []).append(self._pool.submit(task, job))

    def of(self, part: str) -> list[Any]:
        """Wait for the answers of one part."""
        answers = self.came.setdefault(part, [])
        for future in self._waiting.get(part, []):
            answers.append(future.result())
            print(f"  {part}: {len(answers)} of {len(self._waiting[part])}", file=sys.stderr, flush=True)
        return answers


def plan_pictures(run: Run) -> None:
    """Every photograph under every mark; three of them in a quick run."""
    names = list(content.pictures())[: 3 if run.quick else None]
    attacks = pictures.QUICK if run.quick else tuple(pictures.ATTACKS)
    for mark in run.marks:
        for name in names:
            run.add("pictures", tasks.attack_picture, (name, mark, attacks))


def plan_clips(run: Run) -> None:
    """Two seconds of synthetic 1080p and of the real clips; and what the small sizes are asked for."""
    if run.quick:
        for mark in run.marks:
            run.add("clips", tasks.attack_clip, tasks.Case("moving 1080", mark, 24, clips.QUICK))
        return
    real = [clip.name for clip in content.real()]
    if not real:
        print(f"(no clips in {content.MEDIA.name}: real clips left out)", file=sys.stderr)
    for mark in run.marks:
        for clip in ("moving 1080", "talking 1080"):
            run.add("clips", tasks.attack_clip, tasks.Case(clip, mark))
    for mark in run.marks:
        for clip in real:
            run.add("real clips", tasks.attack_clip, tasks.Case(clip, mark))
    for clip in ("moving 720", "talking 720"):
        run.add("small", tasks.attack_clip, tasks.Case(clip, OURS[0], 96, ("half size, CRF 28",)))
    for clip in ("moving 360", "talking 360"):
        run.add("small", tasks.attack_clip, tasks.Case(clip, OURS[1], 96, ("CRF 28",)))


def plan_erase(run: Run) -> None:
    """Attacks without the key on a moving and on a still camera."""
    for clip in ("moving 1080",) if run.quick else ("moving 1080", "talking 1080"):
        run.add("erase", tasks.attack_without_key, (clip, run.quick))


def plan_null(run: Run) -> None:
    """Random keys, in a few pieces."""
    for _ in range(4):
        run.add("null", tasks.try_keys, (KEYS_QUICK if run.quick else KEYS) // 4)


def show_tables(run: Run) -> None:
    """Print everything but the speed, as it comes."""
    for part, unit, title in (
        ("pictures", "photographs", "Pictures: exact ids (least z; mean bit accuracy)"),
        ("clips", "clips", "Clips of 1080p"),
        ("real clips", "clips", "Real clips of 480 x 270 and 640 x 480"),
    ):
        if tables := run.of(part):
            print(f"\n### {title}\n\n{report.attack_table(tables, unit)}\n\n{report.quality_table(tables)}")
    if tables := run.of("small"):
        print("\n### Small clips, four seconds\n")
        for table in tables:
            for attack, found in table.outcomes.items():
                verdict = "exact id" if found.exact else "**no id**"
                print(f"- {table.content}p, {table.mark}, {attack}: {verdict} (z {found.z:.1f})")
    if named := run.of("erase"):
        print(f"\n### Erasing without the key\n\n{report.erase_table(named)}")
    if nulls := run.of("null"):
        print(f"\n### False positives\n\n{report.null_line(nulls)}")


def _processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


def main(arguments: list[str]) -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few minutes: some attacks, one clip, 96 keys")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes at once")
    asked = parser.parse_args(arguments)
    start = time.monotonic()
    print(f"`python -m tests.bench.bench_attacks {' '.join(arguments)}`".replace(" `", "`"))
    plans = {"pictures": plan_pictures, "clips": plan_clips, "erase": plan_erase, "null": plan_null}
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"))  # for the processes
    with _processes(asked.workers) as pool:
        run = Run(pool, quick=asked.quick)
        for part, plan in plans.items():
            if part in asked.only:
                plan(run)
        show_tables(run)
    took: dict[str, float] = {}
    if "speed" in asked.only:
        with _processes(1) as alone:
            took = alone.submit(speed.speed, 3 if asked.quick else 8).result()
        print(f"\n### Speed\n\n{report.speed_table(took)}")
    wanted = targets.targets(run.came, run.came.get("null", ()), took)
    if wanted:
        print(f"\n### Numbers\n\n{report.target_table(wanted)}")
    print(f"\n{time.monotonic() - start:.0f} s with {asked.workers} processes.")


if __name__ == "__main__":
    main(sys.argv[1:])
