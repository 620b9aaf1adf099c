"""Frames of an earlier video, and a block list that has moved on since they were looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consent import services as consents
from generation import rendering
from generation.gate import people
from generation.gate.authority import Admission
from generation.presenter.errors import SpliceError
from generation.presenter.spans import Span
from tests.generation import fakes
from tests.generation.finished import finished


def test_nothing_is_taken_over_when_the_block_list_is_newer(
    quick: Any, green_clip: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []
    for name in ("output_path", "content_path"):
        monkeypatch.setattr(rendering.delivery, name, lambda _: tmp_path / "earlier")
    monkeypatch.setattr(rendering, "take", lambda *_, **named: taken.append(named))
    monkeypatch.setattr(rendering.marking, "take_track", lambda *_, **__: None)
    job = finished(quick, green_clip)
    job.report = {"similarity": [0.1]}
    job.revises = job
    version = people.blocked_version(tenant=job.tenant)
    job.decision = {"admission": Admission((), (), (), version).as_record()}
    span = Span(index=0, first_frame=0, frames=4, taken_from=0)
    rendering.take_over(job, span, tmp_path / "out.mp4")
    assert len(taken) == 1

    consents.block(image=fakes.portrait(fakes.BLUE), identity_id=None, reason="fraud", by=quick.by["legal"])

    with pytest.raises(SpliceError, match="block list"):
        rendering.take_over(job, span, tmp_path / "out.mp4")
    assert len(taken) == 1
