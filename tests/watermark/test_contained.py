from __future__ import annotations

import json
import math
import subprocess

import cv2
import pytest

from watermark import contained
from watermark.c2pa import C2paState
from watermark.contained import Bounds, built
from watermark.detect import Detection, MarkRead
from watermark.errors import DecodeLimitError, UnreadableError
from watermark.search import Geometry
from watermark.state import MarkState


@pytest.fixture(scope="module")
def picture(luma, marked, tmp_path_factory):
    path = tmp_path_factory.mktemp("contained") / "a.png"
    cv2.imwrite(str(path), marked([luma(720, 1280)])[0])
    return path


def test_a_child_finds_what_the_detector_finds(picture, keys, mark_id):
    found, shown = contained.detect(picture, keys=[keys], anchors_pem="", bounds=Bounds(budget_s=60))
    assert (found.mark.state, found.mark.mark_id, found.mark.tenant) == (MarkState.PRESENT, mark_id, "bank-a")
    assert found.mark.geometry == Geometry()
    assert found.c2pa.state is C2paState.ABSENT
    (frame,) = shown
    assert frame.luma.shape == (540, 960)
    assert frame.luma.std() > 20


@pytest.mark.parametrize(
    "bounds", [Bounds(wall_s=0.05), Bounds(memory_bytes=64 << 20)], ids=["time", "memory"]
)
def test_what_costs_too_much_is_refused(picture, keys, bounds):
    with pytest.raises(UnreadableError, match="could not be read within"):
        contained.detect(picture, keys=[keys], anchors_pem="", bounds=bounds)


def test_what_the_detector_refuses_is_told(tmp_path, picture, keys):
    text = tmp_path / "a.txt"
    text.write_text("no picture")
    with pytest.raises(UnreadableError, match="cannot be decoded"):
        contained.detect(text, keys=[keys], anchors_pem="")
    with pytest.raises(DecodeLimitError):
        contained.detect(picture, keys=[keys], anchors_pem="", bounds=Bounds(max_decodes=0, budget_s=60))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"found": {}, "shown": []}',
        '{"found": null, "shown": 1}',
        '{"error": "OSError", "message": "x"}',
    ],
)
def test_a_child_that_lies_is_not_believed(picture, keys, monkeypatch, said):
    def run(*_args, **_more):
        return subprocess.CompletedProcess([], 0, said, "")

    monkeypatch.setattr(contained.subprocess, "run", run)
    with pytest.raises(UnreadableError):
        contained.detect(picture, keys=[keys], anchors_pem="")


def test_an_answer_is_built_again_from_plain_json():
    from dataclasses import asdict

    read = MarkRead(MarkState.PRESENT, 2**64 - 1, "k", "t", 9.5, 3, 2.7e-12, Geometry(0.7, mirror=True))
    assert built(MarkRead, json.loads(json.dumps(asdict(read)))) == read


@pytest.mark.parametrize(
    "changes",
    [{"state": "wonderful"}, {"mark_id": "7"}, {"z": "nan"}, {"geometry": [1]}, {"frames": math.pi}],
)
def test_a_value_of_another_type_is_refused(changes):
    from dataclasses import asdict

    with pytest.raises((TypeError, ValueError, KeyError)):
        built(MarkRead, {**asdict(MarkRead(MarkState.ABSENT)), **changes})


def test_every_layer_has_a_type_that_can_be_built():
    with pytest.raises(KeyError):
        built(Detection, {})
