"""Erasing a person: material, templates, data keys, documents, names and words; the log keeps every proof.

The log never held any of it: its entries name the person by pseudonyms, which mean nothing afterwards.
Backups hold ciphertexts whose keys are gone, and what they hold in clear ends with their own term.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from audit import services as audit
from audit.events import Actor, SubjectErased
from consent import roles, rows, selectors, services
from consent.errors import Fault, RequestInvalidError, StateError
from consent.models import IN_FORCE, REVOCABLE, BlockEntry, Disclosure, Identity, State, Step
from consent.roles import Action

REASON = "erasure"
ENDED = (*REVOCABLE, State.EXPIRED, State.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased: rows and files of each kind; ``details`` counts the words beside the log too."""

    portraits: int = 0
    keys: int = 0
    documents: int = 0
    details: int = 0
    outputs: int = 0


@dataclass(frozen=True, slots=True)
class Prospect:
    """What an erasure would destroy now; ``blocked`` says that the block list comes first.

    ``outputs`` are not counted here: who keeps them does that when they are deleted.
    """

    identity: Identity
    blocked: bool
    in_force: int
    portraits: int
    documents: int
    details: int


def find(text: str, *, by: Actor) -> QuerySet[Identity]:
    """The people of the tenant by a part of their name, or by their id or pseudonym; newest first.

    Raises:
        RoleError: the actor may not erase.
    """
    roles.require(by, Action.ERASE)
    words = text.strip()
    named = Q(name__icontains=words) | Q(id=words) | Q(subject=words)
    return selectors.identities(tenant=by.tenant).filter(named)


def prospect(identity_id: str, *, by: Actor) -> Prospect:
    """What an erasure of the person would do.

    Raises:
        RoleError, NotFoundError: the actor may not erase; no such identity.
    """
    roles.require(by, Action.ERASE)
    person = selectors.identity(identity_id, tenant=by.tenant)
    return Prospect(
        identity=person,
        blocked=_is_blocked(person),
        in_force=person.consents.filter(state__in=IN_FORCE, withdrawn__isnull=True).count(),
        portraits=person.portraits.count(),
        documents=0 if person.erased else person.consents.count(),
        details=_details_of(person),
    )


@transaction.atomic
def erase_confirmed(identity_id: str, *, confirmation: str, by: Actor) -> Erased:
    """Erase a person whose name, or id, was typed once more; else nothing happens.

    Raises:
        RequestInvalidError: something else was typed.
        RoleError, NotFoundError, StateError: as ``erase``.
    """
    roles.require(by, Action.ERASE)
    person = rows.lock_identity(identity_id, tenant=by.tenant)
    if confirmation.strip() not in {person.name, person.id}:
        raise RequestInvalidError([Fault("$.confirmation", "differs", "is neither the name nor the id.")])
    return erase(identity_id, by=by)


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
    if _is_blocked(person):
        raise StateError(f"Identity {person.id} is on the block list; take it off before it is erased.")
    keys, details = person.assets.filter(shredded__isnull=True).count(), _details_of(person)
    for row in person.consents.filter(state__in=ENDED, withdrawn__isnull=True):
        services.revoke(row.id, reason=REASON, by=by)
    rows.destroy_unlicensed(person)
    outputs = sum(import_string(handler)(person.id, by=by) for handler in settings.LIKENESS_ERASURE_HANDLERS)
    done = _blank(person, keys=keys, details=details, outputs=outputs)
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


def _is_blocked(person: Identity) -> bool:
    return person.blocks.filter(removed__isnull=True).exists()


def _steps_of(person: Identity) -> QuerySet[Step]:
    return Step.objects.filter(consent__identity=person).exclude(reason="")


def _blocks_of(person: Identity) -> QuerySet[BlockEntry]:
    return BlockEntry.objects.filter(identity=person).exclude(reason="")


def _details_of(person: Identity) -> int:
    """How many words about the person there are: in rows, and beside the log, which go with the data key."""
    told = Disclosure.objects.filter(asset__identity=person).count()
    return told + _steps_of(person).count() + _blocks_of(person).count()


def _blank(person: Identity, *, keys: int, details: int, outputs: int) -> Erased:
    """Take every word and every picture out of the rows; ids, hashes of papers and states are left."""
    portraits = person.portraits.count()
    person.portraits.all().delete()
    person.name, person.erased = person.id, timezone.now()  # pages go on to call them something
    person.save(update_fields=["name", "erased"])
    consents = list(person.consents.all())
    for row in consents:
        row.document = row.signature = b""
        row.save(update_fields=["document", "signature"])
    _steps_of(person).update(reason="")
    _blocks_of(person).update(reason="")
    return Erased(portraits, keys, len(consents), details, outputs)
