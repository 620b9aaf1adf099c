"""What presentations leave behind when somebody is erased: while they are made, shared, or never became a job."""

from __future__ import annotations

from typing import Any

import pytest

from generation import blobs, performances, performing, presenting
from generation.models import Presentation
from generation.presenter.errors import PackageError
from generation.presenting import PresentRequest
from tests.generation import fakes
from tests.generation.test_speaking import driven, tones

__all__ = ["tones"]  # a fixture


@pytest.fixture
def cast(quick: Any, tones: Any, monkeypatch: pytest.MonkeyPatch) -> PresentRequest:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    driven(monkeypatch)
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好。欢迎。",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )


def asked(request: PresentRequest, quick: Any, client_id: str = "one") -> Presentation:
    return presenting.present(request, client_id=client_id, by=quick.by["requester"])


def test_a_process_forgets_a_performance_whose_file_is_gone(cast: PresentRequest, quick: Any) -> None:
    row = asked(cast, quick)
    performing.perform(row.pk)
    row.refresh_from_db()
    assert row.job is not None, row.message
    assert performances.package_of(row.job.media).frames
    blobs.store().delete(row.job.media.sha256)

    with pytest.raises(PackageError):
        performances.package_of(row.job.media)

    assert performances._read.cache_info().currsize == 0
