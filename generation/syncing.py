"""A presenter's output is measured before it may leave: mouth and sound, on the very file to be delivered."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from generation import blobs, loaded
from generation.engine.media.probe import probe
from generation.errors import SyncOutOfBoundsError
from generation.models import Job, Presentation
from generation.presenter.line import FPS
from generation.presenter.speech import Speech, Timing, Voice
from generation.presenter.sync import Bounds, measure
from generation.presenter.visemes import Viseme


def check(job: Job, path: Path) -> dict[str, Any]:
    """The sync report of a finished file; empty for a job that is no presenter's.

    Raises:
        SyncOutOfBoundsError: mouth and sound do not agree; the file does not go out.
        PresenterError: the file cannot be measured.
    """
    row = Presentation.objects.filter(job=job).first()
    if row is None:
        return {}
    with blobs.store().open(row.plan_sha256) as stream:
        data = io.BytesIO(stream.read())
    with np.load(data, allow_pickle=False) as plan:
        pcm, rate, shapes = plan["pcm"], int(plan["rate"]), plan["shapes"]
        visemes = tuple(Viseme(int(each), float(a), float(b)) for each, a, b in plan["visemes"])
    speech = Speech(pcm, rate, (), (), row.voice, Timing.EXACT, Voice(row.voice))
    report = measure(
        path,
        probe(path),
        speech=speech,
        visemes=visemes,
        shapes=shapes,
        fps=FPS,
        models=loaded.face_models(),
        bounds=Bounds.swapped(),
    )
    if report.failed:
        raise SyncOutOfBoundsError(
            f"Mouth and sound of the finished file do not agree: {', '.join(report.failed)}.",
            report=report.as_record(),
        )
    return report.as_record()
