"""A presenter's output is measured before it may leave: mouth and sound, as the file to be sent has them.

The mouth is looked at chunk by chunk, on the encoded frames. Sealing copies those into the file, which is
made sure of by their hash; the sound is the file's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import numpy as np

from generation import loaded, performances
from generation.engine.media.info import MediaInfo
from generation.errors import SyncOutOfBoundsError
from generation.models import Chunk, Job
from generation.presenter.package import Package
from generation.presenter.sync import Bounds, measure
from generation.presenter.watching import Seen


def check(job: Job, path: Path, info: MediaInfo, *, chunks: Sequence[Path]) -> dict[str, Any]:
    """The sync report of a finished file; empty for a job that is no presenter's. ``chunks``: its parts.

    Raises:
        SyncOutOfBoundsError: mouth and sound do not agree; the file does not go out.
        PresenterError: the file cannot be measured.
    """
    if not performances.is_performance(job.media):
        return {}
    package = performances.package_of(job.media)
    reports = list(Chunk.objects.filter(job=job).order_by("index").values_list("report", flat=True))
    seen = _seen(reports, frames=info.frame_count)
    if seen is not None and pictures_of([path]) != pictures_of(chunks):
        seen = None  # what was looked at is not what is in the file: look at the file
    borders = list(accumulate(report["frames"] for report in reports)) if seen is not None else []
    report = measure(
        path,
        info,
        speech=package.speech,
        visemes=package.visemes,
        shapes=package.shapes,
        fps=package.fps,
        models=loaded.face_models(),
        bounds=Bounds.swapped(),
        scenes=_alone(package),
        looks=borders,
        seen=seen,
    )
    if report.failed:
        raise SyncOutOfBoundsError(
            f"Mouth and sound of the finished file do not agree: {', '.join(report.failed)}.",
            report=report.as_record(),
        )
    return report.as_record()


def pictures_of(files: Iterable[Path]) -> str:
    """SHA-256 over the encoded frames of these files, in stored order."""
    digest = hashlib.sha256()
    for path in files:
        with av.open(str(path)) as opened:
            for packet in opened.demux(opened.streams.video[0]):
                digest.update(bytes(packet))
    return digest.hexdigest()


def _seen(reports: Sequence[dict[str, Any]], *, frames: int) -> Seen | None:
    """What was seen of all chunks; None when a frame is missing."""
    mouth = [pair for report in reports for pair in report.get("mouth", ())]
    if len(mouth) != frames:
        return None
    lips, dark = np.array(mouth, np.float64).T
    return Seen(lips, dark)


def _alone(package: Package) -> list[range]:
    """The frames of each scene in which no other one is seen."""
    ends = [*(span.shows_from for span in package.scenes[1:]), package.frames]
    return [range(span.first_frame, end) for span, end in zip(package.scenes, ends, strict=True)]
