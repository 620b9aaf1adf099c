"""Recordings that take the place of a synthetic voice: which file, and whose voice it is.

A recording is a likeness. The request says whose voice it is, and that person's licence is asked for the
operation ``voice`` before anything of the file is listened to; the file goes when the person is erased.
"""

from __future__ import annotations

from typing import Any

from generation import blobs, selectors
from generation.engine.media.sounds import SoundInfo
from generation.errors import NotFoundError, PresentInvalidError
from generation.models import Media, Presentation

KIND = "sound"


def find(recording_id: str, *, tenant: str) -> Media:
    """An uploaded recording.

    Raises:
        PresentInvalidError: there is none of this id in this tenant, or it is no sound.
    """
    try:
        media = selectors.media(recording_id, tenant=tenant)
    except NotFoundError:
        raise _invalid("There is no such recording.") from None
    if media.kind != KIND:
        raise _invalid("This media is no recording: upload a file of sound alone.")
    if not blobs.store().exists(media.sha256):
        raise _invalid("The recording was deleted.")
    return media


def seconds_of(media: Media) -> float:
    """How long a recording is."""
    return SoundInfo.from_record(media.info).duration_s


def record_of(media: Media, *, identity_id: str) -> dict[str, Any]:
    """What a presentation's scene keeps of its recording."""
    return {"media": str(media.pk), "sha256": media.sha256, "identity": identity_id}


def of(identity_id: str, *, tenant: str) -> list[str]:
    """SHA-256 of every recording that was said to be this person's voice."""
    rows = Presentation.objects.filter(tenant=tenant, scene__recording__identity=identity_id)
    return sorted({row.scene["recording"]["sha256"] for row in rows.only("scene")})


def _invalid(message: str) -> PresentInvalidError:
    return PresentInvalidError(message, fields={"recording": [message]})
