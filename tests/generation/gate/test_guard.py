from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from generation.engine.errors import GuardAbortError
from generation.engine.types import Action, Embedding, Face, FrameFaces, Verdict
from generation.errors import GateError
from generation.gate.gallery import Gallery, gallery_of
from generation.gate.guard import Bands, FaceGuard

BANDS = Bands(same=0.5, review=0.6)


def vector(x: float, y: float = 1.0) -> np.ndarray:
    """People stand on a line: the distance of two is the difference of x."""
    return np.array([x, y], np.float32)


def people(*places: float, version: int = 0) -> Gallery:
    return gallery_of([(f"at{x}", vector(x)) for x in places], model_sha256="m", metric="l2", version=version)


def face(
    x: float | None, *, track: int | None = 1, score: float = 0.9, width: float = 200, fresh: bool = True
) -> Face:
    embedding = None if x is None else Embedding(vector(x), "m", "l2")
    return Face(track, np.array([10, 10, 10 + width, 10 + width], np.float32), score, embedding, fresh)


def frame(*faces: Face, index: int = 0) -> FrameFaces:
    return FrameFaces(index, index / 25, 1000, 600, faces)


def guard(performers: Gallery | None = None, blocked: Gallery | None = None) -> FaceGuard:
    return FaceGuard(performers=performers or people(0.0), blocked=blocked or people(), bands=BANDS)


def only(verdicts: Mapping[int, Verdict]) -> tuple[Action, str]:
    (verdict,) = verdicts.values()
    return verdict.action, verdict.code


def test_a_released_performer_is_replaced() -> None:
    asked = guard()
    assert only(asked(frame(face(0.1)))) == (Action.SWAP, "")
    assert asked.performers == {"at0.0"}


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (face(5.0), "performer.no_release"),
        (face(0.55), "face.review"),
        (face(None), "coverage.incomplete"),
    ],
)
def test_a_strong_face_that_is_nobody_stops_the_job(seen: Face, code: str) -> None:
    assert only(guard()(frame(seen))) == (Action.ABORT, code)


def test_without_performers_nobody_is_replaced() -> None:
    assert only(guard(performers=people())(frame(face(0.0)))) == (Action.ABORT, "performer.no_release")


@pytest.mark.parametrize("seen", [face(5.0, score=0.4), face(5.0, width=40), face(None, score=0.4)])
def test_a_weak_or_small_face_is_kept(seen: Face) -> None:
    assert only(guard()(frame(seen)))[0] is Action.KEEP


@pytest.mark.parametrize("seen", [face(9.0), face(9.0, score=0.4), face(9.0, width=40), face(9.59)])
def test_a_blocked_face_stops_the_job_however_weak(seen: Face) -> None:
    assert only(guard(blocked=people(9.0))(frame(seen))) == (Action.ABORT, "face.blocked")


def test_a_blocked_performer_stops_the_job() -> None:
    assert only(guard(blocked=people(0.3))(frame(face(0.0)))) == (Action.ABORT, "face.blocked")


def test_a_blocked_face_without_a_track_stops_the_job() -> None:
    with pytest.raises(GuardAbortError, match=r"face\.blocked"):
        guard(blocked=people(9.0))(frame(face(9.0, track=None, score=0.4)))


def test_a_strong_face_without_a_track_stops_the_job() -> None:
    with pytest.raises(GuardAbortError, match=r"coverage\.incomplete"):
        guard()(frame(face(0.0, track=None)))


def test_a_weak_face_without_a_track_has_no_verdict() -> None:
    assert guard()(frame(face(5.0, track=None, score=0.4))) == {}


@pytest.mark.parametrize("position", range(20))
def test_a_blocked_face_hidden_in_three_frames_is_found(position: int) -> None:
    asked = guard(blocked=people(9.0))
    verdicts = []
    for index in range(23):
        hidden = (face(9.0, track=2, score=0.4),) if position <= index < position + 3 else ()
        verdicts += asked(frame(face(0.0, fresh=index % 15 == 0), *hidden, index=index)).values()
    assert Verdict(Action.ABORT, "face.blocked") in verdicts


def test_a_bystander_beside_the_performer_stops_the_job() -> None:
    verdicts = guard()(frame(face(0.0), face(7.0, track=2)))
    assert verdicts[1].action is Action.SWAP
    assert verdicts[2] == Verdict(Action.ABORT, "performer.no_release")


def test_a_track_is_judged_by_its_mean() -> None:
    asked = guard()
    for index in range(4):
        assert only(asked(frame(face(0.1), index=index)))[0] is Action.SWAP
    assert only(asked(frame(face(0.58), index=4)))[0] is Action.SWAP


def test_a_track_that_becomes_somebody_else_stops_the_job() -> None:
    asked = guard()
    for index in range(8):
        asked(frame(face(0.0), index=index))
    assert only(asked(frame(face(0.9), index=8)))[0] is Action.ABORT


def test_a_track_that_moves_to_another_performer_stops_the_job() -> None:
    asked = guard(performers=people(0.0, 0.6))
    asked(frame(face(0.0)))
    verdicts = [only(asked(frame(face(0.6), index=i))) for i in range(1, 8)]
    assert (Action.ABORT, "target.ambiguous") in verdicts


def test_the_verdict_holds_between_embeddings() -> None:
    asked = guard()
    asked(frame(face(0.0)))
    assert only(asked(frame(face(0.0, fresh=False, score=0.3), index=1))) == (Action.SWAP, "")


def test_a_kept_face_that_grows_strong_is_judged() -> None:
    asked = guard()
    assert only(asked(frame(face(5.0, score=0.5))))[0] is Action.KEEP
    assert only(asked(frame(face(5.0, fresh=False), index=1))) == (Action.ABORT, "performer.no_release")


def test_a_newer_block_list_stops_a_face_already_seen() -> None:
    asked = guard()
    asked(frame(face(0.1)))
    with pytest.raises(GuardAbortError, match=r"face\.blocked"):
        asked.renew(people(0.1, version=2))


def test_a_newer_block_list_stops_a_face_seen_long_ago_by_another_tracker() -> None:
    asked = guard()
    earlier = asked.follow()
    earlier(frame(face(0.1), face(7.0, track=None, score=0.4)))
    for index in range(20):
        earlier(frame(face(0.0), index=index))
    for place in (0.1, 7.0):
        with pytest.raises(GuardAbortError, match=r"face\.blocked"):
            asked.renew(gallery_of([("x", vector(place))], model_sha256="m", metric="l2", version=2))


def test_tracks_of_two_trackers_are_not_mixed() -> None:
    """Both count from 1: somebody else must not hide in the mean of the person before."""
    asked = guard()
    earlier = asked.follow()
    for index in range(8):
        assert only(earlier(frame(face(0.0), index=index)))[0] is Action.SWAP
    alone = guard()(frame(face(0.55)))
    assert only(alone) == (Action.ABORT, "face.review")
    assert asked.follow()(frame(face(0.55))) == alone
    assert only(earlier(frame(face(0.0, fresh=False), index=8)))[0] is Action.SWAP
    assert asked.tally.frames == 10


def test_a_newer_block_list_counts_from_the_next_frame() -> None:
    asked = guard()
    asked(frame(face(0.1)))
    asked.renew(people(9.0, version=2))
    assert asked.gallery_version == 2
    assert only(asked(frame(face(9.0, track=3, score=0.4), index=1))) == (Action.ABORT, "face.blocked")


@pytest.mark.parametrize("x", [math.nan, math.inf])
def test_a_vector_without_numbers_is_an_error(x: float) -> None:
    with pytest.raises(GateError):
        guard()(frame(face(x)))


def test_the_tally_has_the_distances_that_decided() -> None:
    asked = guard(blocked=people(3.0))
    asked(frame(face(0.25)))
    assert asked.tally.farthest_performer == pytest.approx(0.25)
    assert asked.tally.nearest_blocked == pytest.approx(2.75)
