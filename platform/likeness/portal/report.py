"""What the report of one job says, from the records and from the proven entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import translation

from audit.events import SYSTEM
from generation import delivery
from generation.errors import GenerationError
from likeness.portal.wording import evidence as words
from likeness.portal.wording.events import tell
from likeness.portal.wording.states import chip
from likeness.portal.wording.terms import word
from likeness.provenance_evidence import Told
from likeness.report import pdf
from likeness.report.pdf import Document, Fact, Section

if TYPE_CHECKING:
    from audit.selectors import Entry
    from consent.models import Consent
    from generation.models import Job

LEAF_DIGITS = 16
LANGUAGES = {"en": "en", "zh-Hans": "zh-hans"}
"""Languages of the report: the ending of its file, and the portal's name of it."""


def reports(told: Told) -> dict[str, bytes]:
    """The report in every language, by the name of its file.

    Raises:
        ReportError: it could not be set.
    """
    return {
        f"report.{ending}.pdf": pdf.write(document(told, language=language))
        for ending, language in LANGUAGES.items()
    }


def document(told: Told, *, language: str) -> Document:
    """The report in one language."""
    with translation.override(language):
        pictures = _pictures(told.job)
        sections = [
            *([] if pictures else [Section("", sentences=[str(words.NO_PICTURES)])]),
            _section("job", _job(told.job)),
            *(_section("licence", _licence(row)) for row in told.consents),
            _section("marks", _marks(told.entries)),
            _events(told.entries),
            _section("log", _log(told)),
            Section(str(words.SECTIONS["proven"]), sentences=words.proven(told.verdict)),
            Section(str(words.SECTIONS["not_proven"]), sentences=words.not_proven(told.verdict)),
        ]
        named = {"job": told.job.id.hex, "origin": _origin(told), "size": told.head.size}
        return Document(
            language=language,
            title=str(words.TITLE),
            subtitle=str(words.SUBTITLE) % named,
            sections=sections,
            pictures=pictures,
            at=told.head.signed_at.replace(microsecond=0),
            foot=str(words.FOOT),
        )


def _pictures(job: Job) -> list[tuple[str, bytes]]:
    """The small pictures, while they may be shown."""
    try:
        files = (words.BEFORE, delivery.before_path(job)), (words.AFTER, delivery.poster_path(job))
        return [(str(caption), path.read_bytes()) for caption, path in files]
    except (GenerationError, OSError):
        return []


def _job(job: Job) -> dict[str, tuple[str, bool]]:
    return {
        "job": (job.id.hex, True),
        "state": (str(chip(job.state).label), False),
        "purpose": (word("purpose", job.purpose), False),
        "channel": (word("channel", job.channel), False),
        "territory": (word("territory", job.territory), False),
        "requester": (job.requester, True),
        "finished": (_moment(job.finished), False),
        "output": (job.output_sha256, True),
        "bytes": (f"{job.output_bytes:,} B · {job.output_mime}" if job.output_sha256 else "", False),
    }


def _licence(row: Consent) -> dict[str, tuple[str, bool]]:
    approvals = ", ".join(
        f"{word('role', approval.role)} ({approval.person})" for approval in row.approvals.all()
    )
    return {
        "name": (str(words.ERASED) if row.identity.erased else row.identity.name, False),
        "identity": (f"{row.identity_id} · {row.identity.subject}", True),
        "consent": (row.id, True),
        "state": (str(chip(row.standing).label), False),
        "document": (row.document_sha256, True),
        "term": (f"{row.not_before:%Y-%m-%d} - {row.not_after:%Y-%m-%d}", False),
        "approvals": (approvals, False),
    }


def _marks(entries: Sequence[Entry]) -> dict[str, tuple[str, bool]]:
    labels = [entry.event for entry in entries if entry.type == "label.applied"]
    event = labels[-1] if labels else {}
    return {name: (str(event.get(name, "")), True) for name in ("mark", "label", "produce_id", "manifest")}


def _log(told: Told) -> dict[str, tuple[str, bool]]:
    return {
        "origin": (_origin(told), True),
        "size": (str(told.head.size), False),
        "root": (told.head.root, True),
        "signed_at": (_moment(told.head.signed_at), False),
    }


def _events(entries: Sequence[Entry]) -> Section:
    rows = [
        (
            Fact("", str(entry.index), exact=True),
            Fact("", _moment(datetime.fromisoformat(entry.ts))),
            Fact("", str(tell(entry.event).label)),
            Fact("", "-" if entry.actor == SYSTEM else entry.actor, exact=True),
            Fact("", entry.leaf_hash[:LEAF_DIGITS], exact=True),
        )
        for entry in entries
    ]
    return Section(str(words.SECTIONS["events"]), heads=[str(head) for head in words.HEADS], rows=rows)


def _section(name: str, facts: Mapping[str, tuple[str, bool]]) -> Section:
    shown = [Fact(str(words.FACTS[label]), value, exact) for label, (value, exact) in facts.items() if value]
    return Section(str(words.SECTIONS[name]), facts=shown)


def _origin(told: Told) -> str:
    return told.head.note.partition("\n")[0]


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
