"""Licences whose term has ended: closed in the night after, with an entry in the log.

Nothing waits for it: from the end of the term on, every use is refused (``licence.term_reasons``) and the
licence is shown as expired (``Consent.standing``). Its material stays until a withdrawal or an erasure: the
person may sign for another term.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from audit.events import SYSTEM, Actor
from consent import rows
from consent.errors import ConsentError
from consent.models import IN_FORCE, Consent, State
from consent.record import record

log = logging.getLogger(__name__)


def expire_all(*, now: datetime) -> int:
    """Close every licence whose term has ended; how many. One that cannot be closed does not stop others."""
    over = Consent.objects.filter(state__in=IN_FORCE, not_after__lt=now).order_by("not_after", "id")
    count = 0
    for consent_id, tenant in over.values_list("id", "tenant"):
        try:
            count += expire(consent_id, tenant=tenant, now=now)
        except ConsentError:
            log.critical("consent %s could not be closed at the end of its term", consent_id, exc_info=True)
    return count


@transaction.atomic
def expire(consent_id: str, *, tenant: str, now: datetime) -> bool:
    """Close one licence if it is in force and its term has ended; whether it was. Twice is once.

    Raises:
        NotFoundError: no such licence.
        LicenceInvalidError: its row does not hold the document that was signed.
    """
    row = rows.lock_consent(consent_id, tenant=tenant)
    if row.state not in IN_FORCE or row.not_after >= now:
        return False
    rows.move(row, State.EXPIRED)
    record(row, "expired", by=Actor(SYSTEM, tenant))
    return True
