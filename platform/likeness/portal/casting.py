"""Whom the studio offers: people whose licence lets them be shown speaking, and released performers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from consent import selectors as consents
from consent.catalogue import Operation
from consent.errors import ConsentError
from generation import voicing
from generation.presenter.errors import PresenterError

OPERATIONS = {"likeness": Operation.LIP_SYNC, "performer": Operation.PERFORMANCE}
VOICES = {
    "": _("Usual for the language"),
    "sample-zh": _("Sample voice, Mandarin (nobody's)"),
    "sample-en": _("Sample voice, English (nobody's)"),
}


@dataclass(frozen=True, slots=True)
class Castable:
    """Somebody with a licence in force for the studio's operation."""

    id: str
    name: str


def tellers(tenant: str) -> tuple[Castable, ...]:
    """Whose face may be shown speaking."""
    return tuple(_castable(tenant, kind="likeness"))


def performers(tenant: str) -> tuple[Castable, ...]:
    """Whose portrait may be driven."""
    return tuple(_castable(tenant, kind="performer"))


def voices(tenant: str) -> tuple[Castable, ...]:
    """Whose recorded voice may be used."""
    return tuple(_castable(tenant, kind="likeness", operation=Operation.VOICE))


def voice_choices() -> list[tuple[str, Any]]:
    """Voices with their words; a site's own by its id, and none while the site's table is at fault."""
    try:
        known = voicing.known()
    except PresenterError:
        known = {}
    return [("", VOICES[""]), *((each, VOICES.get(each, each)) for each in known)]


def _castable(tenant: str, *, kind: str, operation: Operation | None = None) -> Iterator[Castable]:
    wanted = str(operation or OPERATIONS[kind])
    people = {row.id: row for row in consents.identities(tenant=tenant) if row.kind == kind}
    seen = set()
    for row in consents.consents(tenant=tenant, state="active"):
        person = people.get(row.identity_id)
        if person is None or person.id in seen:
            continue
        try:
            grant = consents.document(row.id, tenant=tenant).document["grant"]
        except ConsentError:  # one that cannot be read allows nothing
            continue
        if wanted in grant["operations"]:
            seen.add(person.id)
            yield Castable(person.id, str(person.name))
