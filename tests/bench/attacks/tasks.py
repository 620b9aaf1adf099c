"""The pieces of a run, one for each process: values in, values out."""

from __future__ import annotations

import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tests.bench.attacks import clips, content, pictures
from tests.bench.attacks.erase import Erased, erase
from tests.bench.attacks.marks import Mark, Ours, Outcome, all_marks
from tests.bench.attacks.measure import Quality, quality
from watermark.evidence import Evidence
from watermark.invisible import Carrier, Profile
from watermark.payload import TAG_BITS, Bits, MarkKeys, accept, message
from watermark.reading import (
    Sight,
    frame_weights,
    likeliest_bits,
    likely_sets,
    pilot_table,
    pilots,
    soft_bits,
)


@dataclass(frozen=True)
class Case:
    """One clip, or some of its attacks, under one mark."""

    clip: str
    """"moving 1080" or "talking 1080" with the height, or the name of a real clip."""
    mark: str
    frames: int = 0
    """0: as many as the mark is given."""
    attacks: tuple[str, ...] = ()
    """Empty: all."""


@dataclass(frozen=True)
class Table:
    """What came of one picture or clip under one mark."""

    content: str
    mark: str
    outcomes: dict[str, Outcome]
    quality: Quality
    size: float = 1.0
    """Octets at CRF 23, marked over unmarked."""
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Null:
    """Decodes of unmarked pictures with random keys."""

    keys: int
    accepted: int
    byte_hits: int
    """Of the first eight tag bits: one in 256 is expected, so that the code is seen to behave."""


def mark_of(name: str) -> Mark:
    """The mark of this name."""
    return next(mark for mark in all_marks() if mark.name == name)


def clip_of(name: str) -> content.Clip:
    """The clip of this name."""
    kind, _, height = name.partition(" ")
    if height:
        return content.synthetic(kind, int(height), int(height) * 16 // 9)
    return next(clip for clip in content.real() if clip.name == name)


def attack_picture(job: tuple[str, str, tuple[str, ...]]) -> Table:
    """(picture, mark, attacks): mark one picture, attack it, read the PNG files."""
    cv2.setNumThreads(1)
    name, mark_name, wanted = job
    start, mark = time.process_time(), mark_of(mark_name)
    clean = content.as_shown(content.pictures()[name])
    marked = next(iter(mark.marked([clean], 1.0)))
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        for attack in wanted:
            target = Path(folder) / "attacked.png"
            cv2.imwrite(str(target), pictures.ATTACKS[attack](marked), [cv2.IMWRITE_PNG_COMPRESSION, 1])
            outcomes[attack] = mark.read(target)
    return Table(
        name, mark_name, outcomes, quality(mark.unmarked(clean), marked), cpu_s=time.process_time() - start
    )


def attack_clip(case: Case) -> Table:
    """Mark one clip, attack it, read the MP4 files."""
    cv2.setNumThreads(1)
    start, mark, clip = time.process_time(), mark_of(case.mark), clip_of(case.clip)
    clean = list(clip.frames(case.frames or mark.frames))
    marked = list(mark.marked(clean, clip.fps))
    shown = quality(mark.unmarked(clean[len(clean) // 2]), marked[len(marked) // 2])
    outcomes, size = {}, 1.0
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "attacked.mp4"
        if not case.attacks or "CRF 23" in case.attacks:
            unmarked = clips.encode(map(mark.unmarked, clean), clip.fps, 23, target)
            size = clips.encode(marked, clip.fps, 23, target) / unmarked
        del clean
        for attack in clips.ATTACKS:
            if not case.attacks or attack.name in case.attacks:
                attack.run(marked, clip.fps, target)
                outcomes[attack.name] = mark.read(target)
    return Table(case.clip, case.mark, outcomes, shown, size, time.process_time() - start)


def attack_without_key(job: tuple[str, bool]) -> tuple[str, list[Erased]]:
    """(clip, quick): everything that tries to erase our standard mark."""
    cv2.setNumThreads(1)
    name, quick = job
    with tempfile.TemporaryDirectory() as folder:
        return name, erase(clip_of(name), Ours(Profile.STANDARD), Path(folder), quick=quick)


def try_keys(count: int) -> Null:
    """Decode unmarked pictures, each time with fresh random keys, whatever their pilots say."""
    cv2.setNumThreads(1)
    seen = [_seen(picture) for picture in content.pictures().values()]
    accepted = byte_hits = 0
    for at in range(count):
        carrier = Carrier(MarkKeys(secrets.token_bytes(32), "bank-a"))
        bits = _bits(carrier, seen[at % len(seen)])
        accepted += accept(carrier.keys, bits) is not None
        mark_id = int.from_bytes(np.packbits(bits[:-TAG_BITS]).tobytes(), "big")
        tag = message(carrier.keys, mark_id or 1)[-TAG_BITS:]
        byte_hits += bool((tag[:8] == bits[-TAG_BITS:][:8]).all())
    return Null(count, accepted, byte_hits)


def _seen(picture: np.ndarray) -> Sight:
    evidence = Evidence()
    evidence.add(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    return evidence.upright()


def _bits(carrier: Carrier, seen: Sight) -> Bits:
    """What the detector decodes for the set that fits best."""
    table = pilot_table(carrier, seen)
    numbers = likely_sets(carrier, table, seen.times)
    weights = frame_weights(table, numbers)
    agreed = pilots(carrier, seen, numbers, weights)
    sign = 1 if agreed.z > 0 else -1
    return likeliest_bits(soft_bits(carrier, seen, numbers, weights, sign * agreed.agreement), sign=sign)
