"""Words beside an entry of the log that are about nobody who is enrolled, under a data key of their own.

An entry commits to them with a salt, as ``disclosures`` reads them. ``forget`` destroys the key; the entry
and its proof stay, and name nobody.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from consent import licence, material
from consent.models import Disclosure
from consent.record import SALT_BYTES


@dataclass(frozen=True, slots=True)
class Committed:
    """Salt and words, and the ``detail`` by which an entry commits to them."""

    detail: str
    plain: bytes


def commit(words: Mapping[str, str]) -> Committed:
    """Words with a fresh salt; nothing is kept yet."""
    plain = os.urandom(SALT_BYTES) + licence.canonical(words)
    return Committed(f"sha256:{hashlib.sha256(plain).hexdigest()}", plain)


@transaction.atomic
def keep(committed: Committed, event_id: uuid.UUID, *, tenant: str) -> None:
    """Store the words of an entry that was just appended, in the caller's transaction."""
    material.keep_disclosure(material.new_asset(tenant, identity=None), event_id, committed.plain)


def told(event_id: uuid.UUID, *, tenant: str) -> dict[str, str]:
    """The words of an entry of the tenant; empty when they were erased. Who may read them, the caller knows.

    Raises:
        CiphertextError, KeyUnavailableError: words that are there do not open.
    """
    row = _of(event_id, tenant)
    if row is None:
        return {}
    plain = material.open_disclosure(row, material.Keys())
    return {str(name): str(value) for name, value in json.loads(plain[SALT_BYTES:]).items()}


@transaction.atomic
def forget(event_id: uuid.UUID, *, tenant: str) -> bool:
    """Destroy the key of an entry's words; False when there are none any more."""
    row = _of(event_id, tenant)
    if row is None:
        return False
    material.shred(row.asset)
    return True


def _of(event_id: uuid.UUID, tenant: str) -> Disclosure | None:
    kept = Disclosure.objects.filter(
        event_id=event_id, tenant=tenant, asset__identity__isnull=True, asset__shredded__isnull=True
    )
    return kept.select_related("asset").first()
