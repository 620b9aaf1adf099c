"""Provenance for auditors: what the log holds about a person, a file, a job, a licence, a model or a time.

- Whatever leads to a job leads to everything about that job.
- Every hit is proven against the signed head, here and now.
- Each question is itself an entry of the log: which fields were used and how many hits, never their values.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from audit import search as log
from audit import selectors
from audit import services as audit
from audit.blocks import Alternatives
from audit.checkpoint import TlogProof, open_checkpoint
from audit.errors import AuditError, NoCheckpointError
from audit.events import Actor, AuditQueried
from audit.leaf import KeyKind
from audit.merkle import leaf_hash, verify_inclusion
from audit.search import Wanted
from consent import gallery
from consent import selectors as consents
from generation import loaded
from generation import selectors as jobs
from likeness import provenance
from likeness.accounts.models import User
from likeness.accounts.roles import Role
from likeness.errors import RoleError
from likeness.provenance_query import Query

if TYPE_CHECKING:
    from audit.selectors import CheckpointView, Entry
    from likeness.provenance import Trace

PENDING = "pending"
NAMED = 50
"""People that one name may mean."""
RELATED = 2_000
"""Entries that are read for the jobs they name."""
EXPORT = 10_000
COLUMNS = ("index", "ts", "type", "actor", "job", "consent", "identity", "output", "leaf_hash", "proof")


@dataclass(frozen=True, slots=True)
class Hit:
    """One entry, and ``verified``, ``pending`` or why its proof does not hold."""

    entry: Entry
    proof: str

    def as_json(self) -> dict[str, Any]:
        """A JSON-ready document."""
        event, entry = self.entry.event, self.entry
        named = {name: event.get(name) for name in ("job", "consent", "identity", "output")}
        about = {"index": entry.index, "ts": entry.ts, "type": entry.type, "actor": entry.actor}
        return {**about, **named, "leaf_hash": entry.leaf_hash, "proof": self.proof, "event": event}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the question meant; ``distance`` only for a photograph, ``sure`` below the threshold."""

    identity: str
    name: str
    distance: float | None = None
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Results:
    """A page of hits, newest first; older ones begin at ``next``.

    ``whole`` is False when somebody's faces or jobs were too many, or of another model, to look at them all.
    """

    hits: tuple[Hit, ...]
    next: int | None
    people: tuple[Person, ...]
    whole: bool
    size: int

    def as_json(self) -> dict[str, Any]:
        """A JSON-ready document."""
        people = [
            {"identity": one.identity, "name": one.name, "distance": one.distance, "sure": one.sure}
            for one in self.people
        ]
        hits = [hit.as_json() for hit in self.hits]
        return {"hits": hits, "next": self.next, "people": people, "whole": self.whole, "size": self.size}

    def as_csv(self) -> str:
        """A table with a head line, for a spreadsheet; no cell begins like a formula."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\r\n")  # RFC 4180
        rows.writerow(COLUMNS)
        for hit in self.hits:
            told = hit.as_json()
            rows.writerow([_cell(told[name]) for name in COLUMNS])
        return out.getvalue()


NOTHING = Results((), None, (), True, 0)


@dataclass(frozen=True, slots=True)
class _Meant:
    """Whom a question means, by face and by name."""

    photographed: tuple[Person, ...]
    named: tuple[Person, ...]
    whole: bool


def search(query: Query, *, by: Actor) -> Results:
    """A page of everything in the log that the query asks for, each entry proven; the question is logged.

    Raises:
        RoleError: the person is no auditor.
        ConsentError: the photograph shows no usable face, or a stored face does not open.
    """
    found = _answer(query, by=by)
    _logged(query, hits=len(found.hits), by=by)
    return found


def export(query: Query, *, by: Actor) -> Results:
    """As ``search``, but up to 10,000 hits at once, for a file.

    Raises:
        RoleError, ConsentError: as ``search``.
    """
    asked = replace(query, limit=EXPORT)
    found = _answer(asked, by=by)
    while found.next is not None and len(found.hits) < EXPORT:
        asked = replace(asked, limit=EXPORT - len(found.hits), before=found.next)
        more = _answer(asked, by=by)
        found = replace(more, hits=(*found.hits, *more.hits))
    _logged(query, hits=len(found.hits), by=by)
    return found


def search_file(path: Path, *, by: Actor) -> tuple[Trace, Results | None]:
    """Where a file comes from, and everything in the log about its job; None when no job is behind it.

    Raises:
        RoleError: the person is no auditor.
        UnreadableError: it is no picture and no clip.
    """
    _require_auditor(by)
    trace = provenance.trace(path, by=by)  # logs the question
    if not trace.job:
        return trace, None
    return trace, _answer(Query(job=trace.job.replace("-", "")), by=by)


def prove(entries: Sequence[Entry], head: CheckpointView | None) -> tuple[Hit, ...]:
    """Each entry with what its proof against one signed head says."""
    if head is None:
        return tuple(Hit(entry, PENDING) for entry in entries)
    covered = [entry.index for entry in entries if entry.index < head.size]
    try:
        signed = open_checkpoint(head.note, selectors.log_key())
        proofs = dict(selectors.proofs(covered, head))
    except AuditError as error:
        return tuple(Hit(entry, f"{error.code}: {error}") for entry in entries)
    told = []
    for entry in entries:
        if entry.index not in proofs:
            told.append(Hit(entry, PENDING))
            continue
        try:
            hashes = TlogProof.parse(proofs[entry.index]).hashes
            verify_inclusion(entry.index, signed.size, leaf_hash(entry.body), hashes, signed.root)
            told.append(Hit(entry, provenance.VERIFIED))
        except AuditError as error:
            told.append(Hit(entry, f"{error.code}: {error}"))
    return tuple(told)


def _answer(query: Query, *, by: Actor) -> Results:
    _require_auditor(by)
    meant = _meant(query, tenant=by.tenant)
    wanted, whole = _wanted(query, meant, tenant=by.tenant)
    found = log.find(wanted, limit=query.limit, before=query.before)
    try:
        head = selectors.checkpoint()
    except NoCheckpointError:
        head = None
    hits = prove(found.entries, head)
    people = (*meant.photographed, *meant.named)
    return Results(hits, found.next, people, whole and meant.whole, head.size if head else 0)


def _wanted(query: Query, meant: _Meant, *, tenant: str) -> tuple[Wanted, bool]:
    """What the log is searched for, and whether every related job is in it."""
    widened = [_with_jobs(each, tenant=tenant) for each in _leading(query, meant, tenant=tenant)]
    keys = [each for each, _whole in widened]
    if query.job:
        keys.append([(KeyKind.JOB, query.job)])
    if query.operator:
        keys.append([(KeyKind.ACTOR, actor) for actor in _operators(query.operator, tenant=tenant)])
    if query.event:
        keys.append([(KeyKind.TYPE, query.event)])
    if query.model:
        keys.append([(KeyKind.MODEL, query.model)])
    wanted = Wanted(tenant=tenant, keys=keys, since=query.since, until=query.until)
    return wanted, all(whole for _each, whole in widened)


def _leading(query: Query, meant: _Meant, *, tenant: str) -> Iterator[Alternatives]:
    """What was asked that leads to jobs: people, licences and outputs."""
    if query.photo:
        yield [(KeyKind.IDENTITY, one.identity) for one in meant.photographed]
    if query.person:
        given = [(KeyKind.IDENTITY, query.person), (KeyKind.SUBJECT, query.person)]
        yield [*given, *((KeyKind.IDENTITY, one.identity) for one in meant.named)]
    if query.licence:
        rows = consents.consents(tenant=tenant).filter(document_sha256=query.licence)
        yield [(KeyKind.CONSENT, row.id) for row in rows]
    if query.script:
        # the log holds salted commitments only: words can be guessed, so the job store knows who said them
        said = jobs.presentations_of_script(query.script, tenant=tenant)
        yield [(KeyKind.JOB, row.id.hex) for row in said] + [
            (KeyKind.JOB, row.job_id.hex) for row in said if row.job_id
        ]
    for kind, value in (
        (KeyKind.CONSENT, query.consent),
        (KeyKind.MARK, query.mark),
        (KeyKind.MANIFEST, query.manifest),
        (KeyKind.OUTPUT, query.output),
    ):
        if value:
            yield [(kind, value)]


def _with_jobs(alternatives: Alternatives, *, tenant: str) -> tuple[Alternatives, bool]:
    """The keys and those of every job that their entries name."""
    entries = log.entries(alternatives, limit=RELATED)
    jobs = {entry.event.get("job") for entry in entries if entry.tenant == tenant}
    more = [(KeyKind.JOB, job) for job in sorted(job for job in jobs if isinstance(job, str))]
    return [*alternatives, *more], len(entries) < RELATED


def _meant(query: Query, *, tenant: str) -> _Meant:
    photographed: tuple[Person, ...] = ()
    named: tuple[Person, ...] = ()
    whole = True
    if query.photo:
        thresholds = loaded.face_models().embedder.thresholds
        seen = gallery.recognise(query.photo, tenant=tenant, reach=thresholds.review)
        rows = consents.identities(tenant=tenant).in_bulk([one.identity_id for one in seen.people])
        photographed = tuple(
            Person(one.identity_id, rows[one.identity_id].name, one.distance, one.distance <= thresholds.same)
            for one in seen.people
        )
        whole = not seen.unread
    if query.person:
        means = Q(id=query.person) | Q(subject=query.person) | Q(name__icontains=query.person)
        found = consents.identities(tenant=tenant).filter(means)[: NAMED + 1]
        named = tuple(Person(row.id, row.name) for row in found[:NAMED])
        whole = whole and len(found) <= NAMED
    return _Meant(photographed, named, whole)


def _operators(text: str, *, tenant: str) -> list[str]:
    """The pseudonyms of whoever has this name or address, and the text itself, if it is one."""
    means = Q(name__icontains=text) | Q(email__iexact=text)
    found = User.objects.filter(means, tenant=tenant).values_list("actor_id", flat=True)[:NAMED]
    return [*found, text]


def _logged(query: Query, *, hits: int, by: Actor) -> None:
    with transaction.atomic():
        audit.append(AuditQueried(kinds=query.kinds or ("all",), hits=hits), actor=by)


def _require_auditor(by: Actor) -> None:
    if not by.has(Role.AUDITOR):
        raise RoleError("Only an auditor searches the log.")


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text
