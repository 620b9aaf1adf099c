"""What the platform itself keeps of a person who is erased: answers that are kept for repeated requests."""

from __future__ import annotations

from django.db.models import Q

from audit.events import Actor
from consent import selectors as consents
from likeness.models import IdempotencyKey


def forget_answers(identity_id: str, *, by: Actor) -> int:
    """Empty every kept answer that names the person; no file is deleted, so it counts none."""
    person = consents.identity(identity_id, tenant=by.tenant)
    names = Q(answer__contains=identity_id) | Q(answer__contains=person.subject)
    names |= Q(answer__contains=person.name)
    IdempotencyKey.objects.filter(names, tenant=by.tenant).update(answer="{}", location="")
    return 0
