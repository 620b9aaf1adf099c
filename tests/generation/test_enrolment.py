from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from django.conf import settings as django_settings

from consent import faces
from generation import enrolment

WEIGHTS = Path(django_settings.LIKENESS_WEIGHTS)
pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(not (WEIGHTS / "centerface.onnx").is_file(), reason="the weights are not pulled"),
]


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_a_good_portrait_is_accepted_with_its_vector(home: Path, hopper: bytes) -> None:
    found = faces.analyse(hopper)
    assert found.accepted, found.failures
    assert found.vector is not None
    assert found.vector.shape == (128,)
    assert (len(found.model_sha256), found.metric) == (64, "l2")
    preview = decoded(found.preview_png)
    original = decoded(hopper)
    assert max(preview.shape) <= 640
    assert preview.shape[0] / preview.shape[1] == pytest.approx(
        original.shape[0] / original.shape[1], abs=0.01
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "media.unreadable"),
        (b"not a picture", "media.unreadable"),
        (cv2.imencode(".png", np.full((300, 300, 3), 127, np.uint8))[1].tobytes(), "portrait.no_face"),
    ],
    ids=["empty", "text", "grey"],
)
def test_what_is_no_portrait_is_refused_with_a_reason(home: Path, data: bytes, code: str) -> None:
    found = faces.analyse(data)
    assert not found.accepted
    assert found.vector is None
    assert [failure.code for failure in found.failures] == [code]
    assert all(failure.message for failure in found.failures)


def test_two_faces_are_refused(home: Path, hopper: bytes) -> None:
    one = decoded(hopper)
    both = cv2.imencode(".png", np.hstack([one, one]))[1].tobytes()
    found = enrolment.analyse(both)
    assert [failure.code for failure in found.failures] == ["portrait.several_faces"]
