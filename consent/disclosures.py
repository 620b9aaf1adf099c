"""What entries of the log commit to, for those who may know it.

A disclosure is a salt and RFC 8785 JSON: SHA-256 over both is the ``detail`` of its entry, so that nobody can
tell other words, and without them nobody can guess any.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction

from audit import selectors as log
from audit import services as audit
from audit.errors import EntryNotFoundError
from audit.events import Actor, AuditDisclosed
from audit.selectors import Entry
from consent import material, roles
from consent.errors import NotFoundError, ShreddedError
from consent.models import Disclosure
from consent.record import SALT_BYTES
from consent.roles import Action


class Standing(StrEnum):
    """Whether an entry has words beside it: it commits to none, they are held, or they were erased."""

    NONE = "none"
    HELD = "held"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Disclosed:
    """The words of one entry and their salt, hex."""

    salt: str
    jcs: str

    def as_file(self) -> bytes:
        """What a bundle holds beside the entry."""
        return json.dumps({"salt": self.salt, "jcs": self.jcs}, ensure_ascii=False).encode()


def disclosures(event_ids: Iterable[uuid.UUID], *, by: Actor) -> dict[uuid.UUID, Disclosed]:
    """The words of those entries of the actor's tenant that have any left.

    Raises:
        RoleError: the actor may not know them.
        CiphertextError, KeyUnavailableError: words that are there do not open.
    """
    roles.require(by, Action.DISCLOSE)
    rows = Disclosure.objects.filter(
        event_id__in=list(event_ids), tenant=by.tenant, asset__shredded__isnull=True
    )
    found, keys = {}, None
    for row in rows.select_related("asset"):
        keys = keys or material.Keys()
        plain = material.open_disclosure(row, keys)
        found[row.event_id] = Disclosed(plain[:SALT_BYTES].hex(), plain[SALT_BYTES:].decode())
    return found


def standing(entry: Entry, *, tenant: str) -> Standing:
    """Whether there are words beside an entry; they themselves are for `disclose`."""
    if "detail" not in entry.event:
        return Standing.NONE
    held = Disclosure.objects.filter(event_id=entry.event_id, tenant=tenant, asset__shredded__isnull=True)
    return Standing.HELD if held.exists() else Standing.ERASED


@transaction.atomic
def disclose(index: int, *, by: Actor) -> Disclosed:
    """Tell the words of one entry, and log that they were told.

    Raises:
        RoleError: the actor may not know them.
        EntryNotFoundError: the log holds no such entry, or it is another tenant's.
        NotFoundError: it commits to no words.
        ShreddedError: the words were erased.
        CiphertextError, KeyUnavailableError: words that are there do not open.
    """
    roles.require(by, Action.DISCLOSE)
    entry = log.entry(index)
    if entry.tenant != by.tenant:
        raise EntryNotFoundError(f"The log holds no entry {index}.")  # as for one that is missing
    if standing(entry, tenant=by.tenant) is Standing.NONE:
        raise NotFoundError
    told = disclosures([entry.event_id], by=by).get(entry.event_id)
    if told is None:
        raise ShreddedError(f"The words of entry {index} were erased with their data key.")
    audit.append(AuditDisclosed(entries=1, disclosures=1, index=index), actor=by)
    return told
