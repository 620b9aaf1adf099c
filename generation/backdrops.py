"""Pictures and videos around the person: who is on them is looked at before anything is spoken.

What stands behind or before the person of a presentation is footage like any other: a blocked face on it
refuses the presentation, and so does anybody large enough to be replaced who has not released it. They come
from the presentation's scenes and from its template.

- Of a video behind a scene every frame is looked at that may be shown. An idle clip gets the usual few looks
  here: each of its frames is judged again where its face is replaced.
- Nobody looks at them while they are drawn, so they are judged again when the block list has changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from audit import services as audit
from audit.events import Actor, GateDecided
from consent.licence import Use
from generation import blobs, judging, selectors, templating
from generation.engine.errors import GuardAbortError
from generation.engine.media.image import decode_image
from generation.engine.media.info import MediaInfo
from generation.engine.types import Image
from generation.errors import NotFoundError, RefusedError
from generation.gate import people
from generation.gate.reasons import hint
from generation.models import Job, Media, Presentation
from generation.presenter.behind import Backdrop
from generation.presenter.errors import ScenesInvalidError

OPERATION = "lip_sync"
STAGE = "background"
NOTE = "surroundings"
"""In a presentation's report: the block list that they were judged with, and who is on which of them."""


def require(row: Presentation) -> tuple[str, ...]:
    """The releases that a presentation's surroundings stand on; most stand on none.

    Raises:
        RefusedError: somebody is on them who is blocked or has not released it; logged.
    """
    # anew: its template may have fallen back to another version since the row was read
    row = Presentation.objects.get(pk=row.pk)
    judged = _judged(row)
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


def is_current(job: Job) -> bool:
    """Whether what a job's presentation shows was judged with the block list of now; most show nothing."""
    row = Presentation.objects.filter(job=job).first()
    if row is None:
        return True
    noted = row.report.get(NOTE, {}).get("gallery")
    return noted == people.blocked_version(tenant=row.tenant) or not assets_of(row)


def require_current(job: Job) -> None:
    """Judge what a job's presentation shows again if the block list has changed since; may take a minute.

    Raises:
        GuardAbortError: somebody on it may not be there any more; logged.
        NotFoundError: something of it is gone.
    """
    if is_current(job):
        return
    if reasons := _judged(Presentation.objects.get(job=job)).reasons:
        raise GuardAbortError(reasons[0], frame=0)


def _judged(row: Presentation) -> judging.Judged:
    """The gate's word on all that a presentation shows, in the log, and noted in its row if it is a yes."""
    shown = assets_of(row)
    if not shown:
        return judging.Judged()
    judged = judging.judge(shown, tenant=row.tenant, use=use_of(row), watched=_behind(row))
    with transaction.atomic():
        audit.append(_decided(row, judged), actor=Actor(row.requester, row.tenant))
        if not judged.reasons:
            locked = Presentation.objects.select_for_update().get(pk=row.pk)
            locked.report = {**locked.report, NOTE: {"gallery": judged.gallery, "on": judged.on}}
            locked.save(update_fields=["report"])
    return judged


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
    long = media.kind == "video" and float(media.info["duration_s"]) > judging.SECONDS_MAX
    return f"A video behind somebody is at most {judging.SECONDS_MAX:.0f} s long." if long else ""


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
    path = judging.file_of(media)
    if media.kind == "image":
        return decode_image(path.read_bytes())
    return Backdrop(path, MediaInfo.from_record(media.info))


def use_of(row: Presentation) -> Use:
    """The use that is asked for, as long as the script will be by a rough estimate."""
    seconds = max(1, len(row.script) // 8)
    return Use(OPERATION, row.purpose, row.channel, row.territory, row.language, seconds, row.product)


def _behind(row: Presentation) -> frozenset[str]:
    """The videos behind scenes, by their hashes."""
    found = (selectors.media(each, tenant=row.tenant) for each in _named(row.scene.get("scenes", ())))
    return frozenset(each.sha256 for each in found if each.kind == "video")


def _named(scenes: Iterable[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(each["background"] for each in scenes if each["background"]))


def _decided(row: Presentation, judged: judging.Judged) -> GateDecided:
    return GateDecided(
        job=row.id.hex,
        stage=STAGE,
        decision="refuse" if judged.reasons else "admit",
        reasons=judged.reasons,
        rule=judged.reasons[0] if judged.reasons else "",
        policy=judging.POLICY.name,
        policy_version=judging.POLICY.version,
        identity=row.identity_id,
        consents=judged.consents,
        models=judged.models,
        gallery=judged.gallery,
    )
