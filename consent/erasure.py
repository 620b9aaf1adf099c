"""Erasing a person: material, templates, data keys, documents, names and words; the log keeps every proof.

The log never held any of it: its entries name the person by pseudonyms, which mean nothing afterwards.
Backups hold ciphertexts whose keys are gone, and what they hold in clear ends with their own term.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from audit import services as audit
from audit.events import Actor, SubjectErased
from consent import roles, rows, services
from consent.errors import StateError
from consent.models import REVOCABLE, Identity, State
from consent.roles import Action

REASON = "erasure"
ENDED = (*REVOCABLE, State.EXPIRED, State.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased: rows and files of each kind."""

    portraits: int = 0
    keys: int = 0
    documents: int = 0
    details: int = 0
    outputs: int = 0


@transaction.atomic
def erase(identity_id: str, *, by: Actor) -> Erased:
    """Erase a person for good; licences in force are withdrawn with it. Twice is once.

    Raises:
        RoleError, NotFoundError: the actor may not; no such identity.
        StateError: the person is on the block list, which needs their face: that is decided first.
    """
    roles.require(by, Action.ERASE)
    person = rows.lock_identity(identity_id, tenant=by.tenant)
    if person.erased is not None:
        return Erased()
    if person.blocks.filter(removed__isnull=True).exists():
        raise StateError(f"Identity {person.id} is on the block list; take it off before it is erased.")
    keys = person.assets.filter(shredded__isnull=True).count()
    for row in person.consents.filter(state__in=ENDED, withdrawn__isnull=True):
        services.revoke(row.id, reason=REASON, by=by)
    rows.destroy_unlicensed(person)
    outputs = sum(import_string(handler)(person.id, by=by) for handler in settings.LIKENESS_ERASURE_HANDLERS)
    done = _blank(person, keys=keys, outputs=outputs)
    event = SubjectErased(
        identity=person.id,
        subject=person.subject,
        portraits=done.portraits,
        keys=done.keys,
        documents=done.documents,
        details=done.details,
        outputs=done.outputs,
        basis="request",
    )
    audit.append(event, actor=by)
    return done


def _blank(person: Identity, *, keys: int, outputs: int) -> Erased:
    """Take every word and every picture out of the rows; ids, hashes of papers and states are left."""
    portraits = person.portraits.count()
    person.portraits.all().delete()
    person.name, person.erased = person.id, timezone.now()  # pages go on to call them something
    person.save(update_fields=["name", "erased"])
    documents = details = 0
    for row in person.consents.all():
        row.document = row.signature = b""
        row.save(update_fields=["document", "signature"])
        documents += 1
        details += row.steps.exclude(reason="").update(reason="")
    details += person.blocks.exclude(reason="").update(reason="")
    return Erased(portraits, keys, documents, details, outputs)
