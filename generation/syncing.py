"""A presenter's output is measured before it may leave: mouth and sound, on the very file to be delivered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from generation import loaded, performances
from generation.engine.media.info import MediaInfo
from generation.errors import SyncOutOfBoundsError
from generation.models import Job
from generation.presenter.package import Package
from generation.presenter.sync import Bounds, measure


def check(job: Job, path: Path, info: MediaInfo) -> dict[str, Any]:
    """The sync report of a finished file; empty for a job that is no presenter's.

    Raises:
        SyncOutOfBoundsError: mouth and sound do not agree; the file does not go out.
        PresenterError: the file cannot be measured.
    """
    if not performances.is_performance(job.media):
        return {}
    package = performances.package_of(job.media)
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
    )
    if report.failed:
        raise SyncOutOfBoundsError(
            f"Mouth and sound of the finished file do not agree: {', '.join(report.failed)}.",
            report=report.as_record(),
        )
    return report.as_record()


def _alone(package: Package) -> list[range]:
    """The frames of each scene in which no other one is seen."""
    ends = [*(span.shows_from for span in package.scenes[1:]), package.frames]
    return [range(span.first_frame, end) for span, end in zip(package.scenes, ends, strict=True)]
