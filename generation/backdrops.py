"""Pictures and videos around the person: who is on them is looked at before anything is spoken.

What stands behind or before the person of a presentation is footage like any other: a blocked face on it
refuses the presentation, and so does anybody large enough to be replaced who has not released it. They come
from the presentation's scenes and from its template.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.events import Actor, GateDecided
from consent.errors import ConsentError
from consent.licence import Use
from generation import blobs, loaded, selectors, templating
from generation.engine.errors import EngineError
from generation.engine.media.decode import frames_at
from generation.engine.media.image import decode_image
from generation.engine.media.info import MediaInfo
from generation.engine.types import Image
from generation.errors import GateError, NotFoundError, PermitError, RefusedError
from generation.gate import authority, footage, people, rules
from generation.gate.reasons import hint
from generation.gate.rules import Facts, Policy
from generation.models import Media, Presentation
from generation.presenter.behind import Backdrop
from generation.presenter.errors import ScenesInvalidError

log = logging.getLogger(__name__)

OPERATION = "lip_sync"
STAGE = "background"
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
    """What the gate says of the surroundings; ``consents``: of performers who are on them."""

    reasons: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()
    gallery: int = 0
    models: tuple[str, ...] = ()


def require(row: Presentation) -> tuple[str, ...]:
    """The releases that a presentation's surroundings stand on; most stand on none.

    Raises:
        RefusedError: somebody is on them who is blocked or has not released it; logged.
    """
    # anew: its template may have fallen back to another version since the row was read
    row = Presentation.objects.get(pk=row.pk)
    shown = assets_of(row)
    if not shown:
        return ()
    judged = judge(shown, tenant=row.tenant, use=use_of(row))
    with transaction.atomic():
        audit.append(_decided(row, judged), actor=Actor(row.requester, row.tenant))
    if judged.reasons:
        code = judged.reasons[0]
        raise RefusedError(
            "Somebody is on a picture around the person who has not agreed to it.",
            job=str(row.id),
            code=code,
            reasons=judged.reasons,
            hint=hint(code),
        )
    return judged.consents


def judge(shown: Sequence[Media], *, tenant: str, use: Use) -> Judged:
    """Compare everybody on these with the block lists and with the performers who released this use.

    What cannot be found out refuses.
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
        consents: list[str] = []
        for media in shown:
            seen = footage.look(_frames(media), eyes, performers=performers, blocked=blocked, bands=bands)
            names = (
                "frames_looked_at", "strong_faces", "strong_without_embedding", "blocked_distance",
                "strangers", "stranger_distance", "performers",
            )  # fmt: skip
            told = {name: getattr(seen, name) for name in names}
            found += rules.decide(replace(facts, **told), POLICY, now).reasons
            consents += seen.performers
    except (ConsentError, EngineError, GateError) as error:
        log.warning("The surroundings of a presentation could not be compared: %s", error)
        return Judged(("gate.missing_fact",))
    return Judged(
        tuple(dict.fromkeys(found)),
        tuple(dict.fromkeys(consents)),
        blocked.version,
        tuple(entry.sha256 for entry in models.used),
    )


def require_usable(backgrounds: Sequence[str], *, tenant: str) -> None:
    """Make sure that what stands behind each scene (a media's id, or "") can.

    Raises:
        ScenesInvalidError: one is not here, no picture or video, or too long.
    """
    faults = {}
    for number, media_id in enumerate(backgrounds):
        if media_id and (fault := _fault_of(media_id, tenant=tenant)):
            faults[f"scenes.{number}.background"] = fault
    if faults:
        raise ScenesInvalidError("A background cannot be used.", faults=faults)


def _fault_of(media_id: str, *, tenant: str) -> str:
    try:
        media = selectors.media(media_id, tenant=tenant)
    except NotFoundError:
        return "Upload it first."
    if media.kind not in ("image", "video") or not blobs.store().exists(media.sha256):
        return "It is no picture and no video, or was deleted."
    long = media.kind == "video" and float(media.info["duration_s"]) > SECONDS_MAX
    return f"A video behind somebody is at most {SECONDS_MAX:.0f} s long." if long else ""


def assets_of(row: Presentation) -> tuple[Media, ...]:
    """Every picture and video around the person, each once.

    Raises:
        NotFoundError: one of them is gone.
    """
    found = [selectors.media(each, tenant=row.tenant) for each in _named(row.scene.get("scenes", ()))]
    if "idle" in row.scene:
        found.append(selectors.media(row.scene["idle"], tenant=row.tenant))
    if "template" in row.scene:
        pinned = templating.Pinned(**row.scene["template"])
        found += pictures_of(pinned, tenant=row.tenant)
    return tuple({each.sha256: each for each in found}.values())


def pictures_of(pinned: templating.Pinned, *, tenant: str) -> list[Media]:
    """The pictures of a template with its values.

    Raises:
        NotFoundError: one of them is gone.
    """
    filled = templating.filled_of(pinned, tenant=tenant)
    return [selectors.media_by_sha256(each, tenant=tenant) for each in filled.assets]


def behind(media_id: str, *, tenant: str) -> Image | Backdrop | None:
    """What stands behind the person of a scene: a picture, a video, or nothing but a colour.

    Raises:
        NotFoundError: it is gone.
        PermitError: its bytes are not the ones that were uploaded.
    """
    if not media_id:
        return None
    media = selectors.media(media_id, tenant=tenant)
    path = _file_of(media)
    if media.kind == "image":
        return decode_image(path.read_bytes())
    return Backdrop(path, MediaInfo.from_record(media.info))


def use_of(row: Presentation) -> Use:
    """The use that is asked for, as long as the script will be by a rough estimate."""
    seconds = max(1, len(row.script) // 8)
    return Use(OPERATION, row.purpose, row.channel, row.territory, row.language, seconds, row.product)


def _file_of(media: Media) -> Path:
    """The stored bytes, hashed first: a performance names its backgrounds by their ids alone.

    Raises:
        NotFoundError, PermitError: see ``behind``.
    """
    if not blobs.store().exists(media.sha256):
        raise NotFoundError("The background is gone.")
    with blobs.store().open(media.sha256) as stream:
        if authority.hashed("background", stream).sha256 != media.sha256:
            raise PermitError("inputs", "a background is not the one that was uploaded")
    return blobs.store().path(media.sha256)


def _named(scenes: Iterable[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(each["background"] for each in scenes if each["background"]))


def _frames(media: Media) -> Iterator[Image]:
    """A picture, or what a video shows every half second and at its end."""
    info = MediaInfo.from_record(media.info)
    count = int(min(info.duration_s, SECONDS_MAX) / LOOK_EVERY_S)
    times = [at * LOOK_EVERY_S for at in range(count + 1)] + [info.duration_s]
    for frame in frames_at(_file_of(media), info, times):
        yield frame.picture


def _decided(row: Presentation, judged: Judged) -> GateDecided:
    return GateDecided(
        job=row.id.hex,
        stage=STAGE,
        decision="refuse" if judged.reasons else "admit",
        reasons=judged.reasons,
        rule=judged.reasons[0] if judged.reasons else "",
        policy=POLICY.name,
        policy_version=POLICY.version,
        identity=row.identity_id,
        consents=judged.consents,
        models=judged.models,
        gallery=judged.gallery,
    )
