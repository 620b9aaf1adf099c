"""How many previews there were in this minute: counted in the database, so over every process of the site."""

from __future__ import annotations

import time

from django.db import transaction
from django.db.models import F, Sum

from audit.events import Actor
from generation.errors import PreviewLimitError
from generation.models import PreviewCount

PERSON_A_MINUTE, TENANT_A_MINUTE = 40, 120


def count_preview(by: Actor) -> None:
    """Count one more.

    Raises:
        PreviewLimitError: the person, or their tenant, had as many in this minute as they may have.
    """
    minute = int(time.time() // 60)
    rows = PreviewCount.objects.filter(tenant=by.tenant)
    with transaction.atomic():
        row, _ = rows.get_or_create(tenant=by.tenant, person=by.id, minute=minute)
        PreviewCount.objects.filter(pk=row.pk).update(count=F("count") + 1)
        rows.filter(minute__lt=minute - 1).delete()
    row.refresh_from_db()
    if row.count > PERSON_A_MINUTE:
        raise PreviewLimitError(f"More than {PERSON_A_MINUTE} previews in a minute.")
    total = rows.filter(minute=minute).aggregate(total=Sum("count"))["total"] or 0
    if total > TENANT_A_MINUTE:
        raise PreviewLimitError(f"Your organisation had more than {TENANT_A_MINUTE} previews in a minute.")
