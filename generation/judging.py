"""The gate's word on pictures and videos that stand around somebody: who is on them, and may they be.

A few frames tell who is on a video. Of one whose every frame may be shown and is not looked at again while it
is drawn, the guard is asked about every frame.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.utils import timezone

from consent.errors import ConsentError
from consent.licence import Use
from generation import blobs, loaded
from generation.engine.errors import EngineError, GuardAbortError
from generation.engine.faces.models import FaceModels
from generation.engine.faces.track import Tracker
from generation.engine.media.decode import frames_at
from generation.engine.media.info import MediaInfo
from generation.engine.pipeline import ask
from generation.engine.types import Image
from generation.errors import GateError, NotFoundError, PermitError
from generation.gate import authority, footage, people, rules
from generation.gate.guard import FaceGuard
from generation.gate.rules import Facts, Policy
from generation.models import Media
from generation.presenter.behind import Backdrop
from generation.presenter.line import FPS

log = logging.getLogger(__name__)

POLICY = Policy(
    "likeness.background",
    1,
    (rules.models_compare, rules.nobody_is_blocked, rules.footage_was_seen, rules.performers_released),
)
"""What the gate asks of footage, but for that there be a face, and only one."""
LOOK_EVERY_S = 0.5
SECONDS_MAX = 120.0
"""Of a video behind somebody; it begins again when the scene is longer."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate says of the surroundings; ``consents``: of performers who are on them.

    ``on``: the same by the hash of a picture or video, without those that show no performer.
    """

    reasons: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()
    gallery: int = 0
    models: tuple[str, ...] = ()
    on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def judge(shown: Sequence[Media], *, tenant: str, use: Use, watched: Collection[str] = ()) -> Judged:
    """Compare everybody on these with the block lists and with the performers who released this use.

    ``watched``: hashes of the videos whose every frame counts. What cannot be found out refuses.
    """
    now = timezone.now()
    try:
        models = loaded.face_models()
        bands = people.bands(models)
        blocked = people.blocked(tenant=tenant, models=models)
        performers = people.performers(people.released(tenant=tenant, use=use, now=now), models=models)
        facts = Facts(
            gathered=now,
            embedder=models.embedder.model_sha256,
            same=bands.same,
            review=bands.review,
            templates_model=performers.model_sha256,
            gallery_model=blocked.model_sha256,
            gallery=blocked.version,
        )
        if rules.models_compare(facts, now):
            return Judged(("gate.missing_fact",))
        eyes = footage.ModelEyes(models)
        found: list[str] = []
        on: dict[str, tuple[str, ...]] = {}
        for media in shown:
            seen = footage.look(_frames(media), eyes, performers=performers, blocked=blocked, bands=bands)
            names = (
                "frames_looked_at", "strong_faces", "strong_without_embedding", "blocked_distance",
                "strangers", "stranger_distance", "performers",
            )  # fmt: skip
            told = {name: getattr(seen, name) for name in names}
            found += rules.decide(replace(facts, **told), POLICY, now).reasons
            there = list(seen.performers)
            if media.sha256 in watched:
                guard = FaceGuard(performers=performers, blocked=blocked, bands=bands)
                found += _watch(media, guard, models)
                there += sorted(guard.performers)
            if there:
                on[media.sha256] = tuple(dict.fromkeys(there))
    except (ConsentError, EngineError, GateError) as error:
        log.warning("The surroundings of a presentation could not be compared: %s", error)
        return Judged(("gate.missing_fact",))
    return Judged(
        tuple(dict.fromkeys(found)),
        tuple(dict.fromkeys(each for there in on.values() for each in there)),
        blocked.version,
        tuple(entry.sha256 for entry in models.used),
        on,
    )


def file_of(media: Media) -> Path:
    """The stored bytes, hashed first: a performance names its backgrounds by their ids alone.

    Raises:
        NotFoundError: they are gone.
        PermitError: they are others than were uploaded.
    """
    if not blobs.store().exists(media.sha256):
        raise NotFoundError("The background is gone.")
    with blobs.store().open(media.sha256) as stream:
        if authority.hashed("background", stream).sha256 != media.sha256:
            raise PermitError("inputs", "a background is not the one that was uploaded")
    return blobs.store().path(media.sha256)


def _frames(media: Media) -> Iterator[Image]:
    """A picture, or what a video shows every half second and at its end."""
    info = MediaInfo.from_record(media.info)
    count = int(min(info.duration_s, SECONDS_MAX) / LOOK_EVERY_S)
    times = [at * LOOK_EVERY_S for at in range(count + 1)] + [info.duration_s]
    for frame in frames_at(file_of(media), info, times):
        yield frame.picture


def _watch(media: Media, guard: FaceGuard, models: FaceModels) -> tuple[str, ...]:
    """Why the guard would stop at a picture of a video that may be shown; nothing if it would not."""
    clip = Backdrop(file_of(media), MediaInfo.from_record(media.info))
    tracker, at = Tracker(models, FPS), 0
    try:
        for picture, frames in clip.shown(fps=FPS):
            tracks = tracker.update(picture, at, at / FPS)
            ask(guard, tracker.frame_faces(at, at / FPS), tracks)
            at += frames
    except GuardAbortError as error:
        return (error.reason,)
    return ()
