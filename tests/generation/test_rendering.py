"""Performances of every kind through the whole chain: scenes, no background, a filmed performer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from generation import idling, loaded, performances, presenting, selectors, services
from generation.engine.media.alpha import read_covered
from generation.engine.media.colour import from_planes
from generation.engine.media.decode import frames_at
from generation.engine.media.image import decode_image
from generation.engine.media.probe import probe
from generation.errors import PresentInvalidError
from generation.models import Job
from generation.presenter import loop_seam
from generation.presenter.driving import Performance, PuppetEngine
from generation.presenter.idle import IdleLimits
from generation.presenter.line import make_plate
from generation.presenter.loop import make_loop
from generation.presenter.motion import BLINK, Motion
from generation.presenter.scene import Layout
from generation.presenter.storyboard import Position, SceneSpec, Transition
from generation.presenter.visemes import PARAMETERS
from generation.presenting import PresentRequest
from generation.staging import matting
from tests.generation import fakes
from tests.generation.conftest import encode_clip

pytestmark = [
    pytest.mark.weights,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is missing"),
]


@pytest.fixture
def request_for(studio: Any, astronaut: bytes, hopper: bytes) -> PresentRequest:
    teller = studio.enrol(astronaut, operations=["face_swap", "lip_sync"])
    performer = studio.enrol(hopper, kind="performer", status="deceased")
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好，请不要还款。",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )


@pytest.fixture
def present(studio: Any, work: Callable[[], None]) -> Callable[..., Job]:
    def run(request: PresentRequest) -> Job:
        presenting.present(request, client_id="one", by=studio.by["requester"])
        work()
        row = selectors.presentation("one", tenant=studio.by["requester"].tenant)
        assert row.job is not None, (row.code, row.message)
        return row.job

    return run


def delivered(job: Job, studio: Any) -> Path:
    assert (job.state, job.code) == ("done", ""), job.message
    assert job.report["sync"]["failed"] == []
    return services.download(job.pk, by=studio.by["requester"])


def test_scenes_follow_one_another_with_their_backgrounds(
    request_for: PresentRequest, present: Callable[..., Job], studio: Any
) -> None:
    behind = np.full((720, 1280, 3), (30, 140, 30), np.uint8)
    behind[::2] = (40, 160, 40)
    media = studio.upload(cv2.imencode(".png", behind)[1].tobytes())
    scenes = (
        SceneSpec("您好，请不要还款。", position=Position.LEFT, colour="#802020"),
        SceneSpec(
            "谢谢您，明天见。", position=Position.RIGHT, size=0.8, background=str(media.pk),
            transition=Transition.FADE, fade_frames=6,
        ),
    )  # fmt: skip

    job = present(replace(request_for, script="", scenes=scenes))

    path = delivered(job, studio)
    package = performances.package_of(job.media)
    border = package.scenes[1].first_frame
    info = probe(path)
    before, after = (frame.picture for frame in frames_at(path, info, [0.2, (border + 10) / 25]))
    red, green = before[600, 1250].astype(int), after[600, 20].astype(int)
    assert red[2] > red[1] + 40
    assert green[1] > green[2] + 40
    assert _face(before) < 640 < _face(after)


def test_no_background_is_seen_through(
    request_for: PresentRequest, present: Callable[..., Job], studio: Any
) -> None:
    job = present(replace(request_for, transparent=True))

    path = delivered(job, studio)
    assert (job.container, job.output_mime) == ("webm", "video/webm")
    _, first = next(iter(read_covered(path)))
    assert first.a is not None
    assert first.a[40:80, 20:60].max() < 8
    assert first.a[600, 640] > 250


def _face(picture: np.ndarray) -> int:
    """Column of the middle of what is neither background: the person's dark uniform."""
    dark = picture[500:].max(2) < 60
    return int(np.flatnonzero(dark.any(0)).mean())


@pytest.fixture
def silent_clip(hopper: bytes) -> bytes:
    """Four seconds of the performer in silence: moved and blinking, the lips shut."""
    layout = Layout(width_px=1280, height_px=720)
    plate = make_plate(decode_image(hopper), layout=layout, models=loaded.face_models(), matting=matting())
    frames, time = 100, np.arange(100) / 25
    motion = Motion(
        roll_deg=0.5 * np.sin(2 * np.pi * time / 4),
        shift=np.stack([2 * np.sin(2 * np.pi * time / 4), np.zeros(frames)], 1),
        blink=np.zeros(frames),
        brow=np.zeros(frames),
        gaze=np.zeros((frames, 2)),
    )
    motion.blink[30 : 30 + len(BLINK)] = BLINK
    still = Performance(np.zeros((frames, len(PARAMETERS))), motion)
    drawn = PuppetEngine().frames(plate, layout, still, fps=25)
    return encode_clip([from_planes(planes) for planes in drawn], sound=False, gop=25)


def test_a_filmed_performer_says_it_with_the_licensed_face(
    request_for: PresentRequest,
    present: Callable[..., Job],
    studio: Any,
    silent_clip: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def short(*args: Any, **named: Any) -> Any:
        return make_loop(*args, **named, limits=IdleLimits(shortest_s=2.0))

    monkeypatch.setattr(idling, "make_loop", short)
    monkeypatch.setattr(loop_seam, "SHORTEST_S", 2.0)
    media = studio.upload(silent_clip)

    job = present(replace(request_for, idle=str(media.pk), colour="#205030"))

    path = delivered(job, studio)
    package = performances.package_of(job.media)
    assert package.idle is not None
    assert job.report["swapped"] == job.report["frames"] == package.frames
    shown = next(frames_at(path, probe(path), [0.5])).picture
    corner = shown[600, 20].astype(int)
    assert corner[1] > max(corner[0], corner[2]) + 15, "the background is the one that was asked for"


def test_a_clip_of_somebody_else_is_refused(
    request_for: PresentRequest, work: Callable[[], None], studio: Any, astronaut: bytes
) -> None:
    """The licensed person licensed their face, not a performance: nobody may speak with their body."""
    still = decode_image(astronaut)[:400, :400]
    media = studio.upload(encode_clip([still] * 30, sound=False))
    presenting.present(replace(request_for, idle=str(media.pk)), client_id="one", by=studio.by["requester"])

    work()

    row = selectors.presentation("one", tenant=studio.by["requester"].tenant)
    assert (row.state, row.code, row.job) == ("rejected", "performer.no_release", None)


@pytest.mark.parametrize("what", ["none", "picture"])
def test_an_idle_clip_must_be_a_video(what: str, quick: Any) -> None:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    media = quick.upload(fakes.portrait(fakes.BLUE))
    ids = {"none": "00000000-0000-0000-0000-000000000000", "picture": str(media.pk)}
    request = PresentRequest(
        identity_id=teller.identity_id, performer_id=performer.identity_id, script="您好。",
        purpose="product_explainer", channel="branch_screen", format="preview", idle=ids[what],
    )  # fmt: skip

    with pytest.raises(PresentInvalidError) as refused:
        presenting.present(request, client_id="one", by=quick.by["requester"])

    assert "idle" in refused.value.fields
