"""Licences as the pages show them: read out, with their seats, their timeline and their portraits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consent import selectors
from consent.errors import LicenceTamperedError
from likeness.portal import people
from likeness.portal.wording import reading

APPROVING = ("legal", "business", "expert")
LIVING = "living"


@dataclass(frozen=True, slots=True)
class Seat:
    """One approval that a licence needs; ``person`` is empty while the seat is."""

    role: str
    person: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class LicenceRow:
    """A licence as a row of a table; ``lines`` is empty when the stored document is not the signed one."""

    consent: Any
    lines: tuple[reading.Line, ...]


@dataclass(frozen=True, slots=True)
class LicenceCard:
    """A licence as a card, for review; ``lines`` is empty when the stored document is not the signed one."""

    consent: Any
    portrait: Any
    lines: tuple[reading.Line, ...]
    seats: tuple[Seat, ...]
    submitter: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of a licence's timeline, and who took it, by name."""

    step: Any
    person: str


@dataclass(frozen=True, slots=True)
class LicenceView:
    """A licence on its page."""

    card: LicenceCard
    sections: tuple[reading.Section, ...]
    document: Mapping[str, Any] | None
    portraits: tuple[Any, ...]
    timeline: tuple[Moment, ...]


def rows_of(rows: Iterable[Any]) -> list[LicenceRow]:
    """Rows for a table."""
    return [
        LicenceRow(row, reading.summary(document) if (document := document_of(row)) else ()) for row in rows
    ]


def card_of(row: Any, names: Mapping[str, str]) -> LicenceCard:
    """What a reviewer sees of a licence at a glance."""
    document = document_of(row)
    return LicenceCard(
        consent=row,
        portrait=selectors.portraits(row.identity_id, tenant=row.tenant).first(),
        lines=reading.summary(document) if document else (),
        seats=seats_of(row, names),
        submitter=names.get(row.submitted_by, row.submitted_by),
    )


def cards_of(rows: Iterable[Any], *, tenant: str) -> list[LicenceCard]:
    """Cards for a list; names are looked up once."""
    names = people.names(tenant)
    return [card_of(row, names) for row in rows]


def view_of(row: Any) -> LicenceView:
    """Everything that a licence's page shows."""
    names = people.names(row.tenant)
    document = document_of(row)
    licensed = {entry["sha256"] for entry in document["material"]} if document else set()
    portraits = selectors.portraits(row.identity_id, tenant=row.tenant)
    return LicenceView(
        card=card_of(row, names),
        sections=reading.read(document) if document else (),
        document=document,
        portraits=tuple(portrait for portrait in portraits if portrait.sha256 in licensed),
        timeline=timeline_of(row, names),
    )


def document_of(row: Any) -> Mapping[str, Any] | None:
    """The signed document; None when the row is not what was signed."""
    try:
        return selectors.document(row.id, tenant=row.tenant).document
    except LicenceTamperedError:
        return None


def seats_of(row: Any, names: Mapping[str, str]) -> tuple[Seat, ...]:
    """The approvals that are needed, given or not, in a fixed order."""
    given = {
        approval.role: approval
        for approval in row.approvals.all()
        if approval.document_sha256 == row.document_sha256
    }
    needed = APPROVING if row.identity.status != LIVING else APPROVING[:2]
    return tuple(
        Seat(role, names.get(given[role].person, given[role].person), given[role].created)
        if role in given
        else Seat(role, "", None)
        for role in needed
    )


def timeline_of(row: Any, names: Mapping[str, str]) -> tuple[Moment, ...]:
    """What happened to the licence, in order."""
    return tuple(Moment(step, names.get(step.person, step.person)) for step in selectors.history(row.id))
