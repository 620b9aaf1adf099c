"""The files of a presentation, its performance and its words: its row names them before they are stored.

So a row always leads to what is stored, whenever a worker dies and whoever is erased in between.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q

from generation import blobs, performances
from generation.errors import AlreadyOverError
from generation.models import Media, Presentation, PresentationState
from generation.presenter.package import Package

SPOKEN = ("srt_sha256", "vtt_sha256", "visemes_sha256")
ERASED = "0" * 64
"""The request's hash of a presentation whose words were erased: they could be guessed from the true one."""


def keep(
    row: Presentation, package: Package, *, told: Mapping[str, Any], words: Mapping[str, bytes], by: str
) -> Media:
    """Store a performance and the files of its words (by ``SPOKEN``); ``told`` goes into the row's report.

    Raises:
        AlreadyOverError: the presentation was stopped, by somebody or because a person was erased.
    """
    data = package.write()
    with transaction.atomic():
        locked = _driving(row.pk)
        drop(locked)  # of a worker that died here
        media = locked.performance = performances.row_of(package, data, tenant=row.tenant, by=by)
        locked.report = {**locked.report, **told}
        for name, text in words.items():
            setattr(locked, name, hashlib.sha256(text).hexdigest())
        locked.save()
    with transaction.atomic():
        _driving(row.pk)
        for each in (data, *words.values()):
            blobs.store().put(io.BytesIO(each))
    return media


def drop(row: Presentation) -> None:
    """Delete, once it is committed, what a locked presentation keeps and no other needs.

    The caller saves the row; it has no job.
    """
    gone = unshared_words({getattr(row, name) for name in SPOKEN}, but=[row])
    media, row.performance = row.performance, None
    for name in SPOKEN:
        setattr(row, name, "")
    if media is not None and not is_shared(media, but=[row]):
        gone.append(media.sha256)
        if not media.jobs.exists():  # a refused one keeps it
            media.delete()
    transaction.on_commit(partial(delete, gone))


def is_shared(media: Media, *, but: Iterable[Presentation]) -> bool:
    """Whether a presentation besides these still stands on this performance."""
    same = Q(performance=media) | Q(job__media=media)
    others = Presentation.objects.filter(same).exclude(pk__in=[row.pk for row in but])
    return others.exclude(request_sha256=ERASED).exists()


def unshared_words(names: Iterable[str], *, but: Iterable[Presentation]) -> list[str]:
    """Those files of words that no presentation besides these has."""
    others, wanted = Presentation.objects.exclude(pk__in=[row.pk for row in but]), set(names) - {""}
    kept = {
        value
        for name in SPOKEN
        for value in others.filter(**{f"{name}__in": wanted}).values_list(name, flat=True)
    }
    return sorted(wanted - kept)


def delete(names: Iterable[str]) -> None:
    """Delete files, and what this process remembers of performances."""
    for name in names:
        blobs.store().delete(name)
    performances.forget()


def _driving(presentation_id: uuid.UUID) -> Presentation:
    """The row, locked, while it is being made.

    Raises:
        AlreadyOverError: it was stopped.
    """
    row = Presentation.objects.select_for_update().get(pk=presentation_id)
    if row.state != PresentationState.DRIVING:
        raise AlreadyOverError(f"Presentation {row.id} was stopped.")
    return row
