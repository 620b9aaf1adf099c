"""What entries of the log commit to, for those who may know it.

A disclosure is a salt and RFC 8785 JSON: SHA-256 over both is the ``detail`` of its entry, so that nobody can
tell other words, and without them nobody can guess any.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from audit.events import Actor
from consent import material, roles
from consent.models import Disclosure
from consent.record import SALT_BYTES
from consent.roles import Action


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
