"""Presentations as the pages show them: who speaks, how far it is, what stood against it, what came out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from consent import selectors as consents
from generation import selectors
from generation.presenter.errors import PresenterError
from generation.presenter.normalise import Language
from generation.presenter.script import Kind, read
from likeness.portal import people
from likeness.portal.jobs import Stage
from likeness.portal.scripts import Finding, Marked, hits_of, marked
from likeness.portal.wording.faults import reason_of
from likeness.portal.wording.reasons import Reason
from likeness.portal.wording.studio import Measured, sync_words
from likeness.portal.wording.templates import problem

OPEN = frozenset({"queued", "running"})
"""States in which a presentation still moves."""
STAGES = (
    ("script", _("Script"), _("The script waits for a free worker.")),
    ("drive", _("Speech"), _("The script is spoken, and every sound gets its mouth shape.")),
    (
        "admitting",
        _("Checks"),
        _("Licence, release and faces are checked once more, now with the real length."),
    ),
    ("queued", _("Queue"), _("Everything is allowed; the video waits for its turn.")),
    ("running", _("Pictures and marks"), _("Each picture is drawn, labelled and marked invisibly.")),
    (
        "sealing",
        _("Sealing and measuring"),
        _("The file is signed, its marks are read back, and lips and sound are measured against each other."),
    ),
    ("done", pgettext_lazy("video", "Ready"), _("The video may be used.")),
)
"""Steps by the state that they are known by; what happens meanwhile is told under the current one."""
EXCERPT = 60


@dataclass(frozen=True, slots=True)
class PresentationRow:
    """A presentation in a list; ``title`` is the beginning of its script."""

    row: Any
    title: str
    teller: str
    state: str
    percent: int
    poster: bool


@dataclass(frozen=True, slots=True)
class Pinned:
    """The template of a presentation; ``problem`` in words, empty where it got the version it asked for."""

    name: str
    version: int
    wanted: int
    problem: str


@dataclass(frozen=True, slots=True)
class PresentationView:
    """A presentation on its page."""

    row: Any
    title: str
    state: str
    moving: bool
    percent: int
    teller: str
    performer: str
    requester: str
    stages: tuple[Stage, ...]
    doing: str
    pinned: Pinned | None
    taken_over: tuple[int, int] | None
    changeable: bool
    versions: str
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
    shown: tuple[Marked, ...]
    sync: tuple[Measured, ...]
    files: tuple[str, ...]


def rows_of(rows: Iterable[Any], *, tenant: str) -> tuple[PresentationRow, ...]:
    """Presentations for a list; each person's name is looked up once."""
    names = names_of(tenant)
    return tuple(
        PresentationRow(
            row=row,
            title=title_of(row),
            teller=names.get(row.identity_id, row.identity_id),
            state=selectors.presentation_state(row),
            percent=round(selectors.presentation_progress(row) * 100),
            poster=row.job is not None and row.job.state == "done" and bool(row.job.poster_sha256),
        )
        for row in rows
    )


def view_of(row: Any, *, tenant: str) -> PresentationView:
    """One presentation with everything that its page tells."""
    names, state = names_of(tenant), selectors.presentation_state(row)
    text = shown_text(row)
    findings = hits_of(row.hits, text)
    ended = row.job if row.job is not None and not row.code else row
    codes = list(dict.fromkeys(ended.reasons or ([ended.code] if ended.code else [])))
    told = {each.code for each in findings}
    return PresentationView(
        row=row,
        title=title_of(row),
        state=state,
        moving=state in OPEN,
        percent=round(selectors.presentation_progress(row) * 100),
        teller=names.get(row.identity_id, row.identity_id),
        performer=names.get(row.performer_id, row.performer_id),
        requester=people.names(tenant).get(row.requester, row.requester),
        stages=stages_of(row),
        doing=_doing(row) if state in OPEN else "",
        pinned=_pinned(row),
        taken_over=taken_over(row),
        # the studio writes one scene, and a recording is of one script
        changeable=state == "succeeded" and not {"scenes", "recording"} & set(row.scene),
        versions=str(row.variants.client_id) if row.variants is not None else "",
        reasons=tuple(
            reason_of(code, sentence=ended.message, hint=ended.hint) for code in codes if code not in told
        ),
        findings=findings,
        shown=marked(text, findings),
        sync=sync_words(row.job.report.get("sync") if row.job is not None else None),
        files=tuple(kind for kind in ("srt", "vtt") if getattr(row, f"{kind}_sha256")),
    )


def stages_of(row: Any) -> tuple[Stage, ...]:
    """The steps from words to a delivered video; what ended early marks the step at which it did."""
    order = [name for name, _label, _sentence in STAGES]
    state = selectors.presentation_state(row)
    if row.job is None:
        began = bool(row.done) or row.state == "driving"
        at, tone = int(began), "now" if state in OPEN else "bad"
    else:
        ended = {
            "refused": 2,
            "failed": 5 if row.job.started else 2,
            "cancelled": 4 if row.job.started else 3,
        }
        at = order.index(row.job.state) if row.job.state in order else ended.get(row.job.state, len(order))
        at, tone = (len(order), "") if row.job.state == "done" else (at, "now" if state in OPEN else "bad")
    return tuple(
        Stage(label, "done" if number < at else tone if number == at else "")
        for number, (_name, label, _sentence) in enumerate(STAGES)
    )


def _doing(row: Any) -> str:
    at = next((at for at, stage in enumerate(stages_of(row)) if stage.tone == "now"), 0)
    return str(STAGES[at][2])


def _pinned(row: Any) -> Pinned | None:
    kept = row.scene.get("template")
    if not kept:
        return None
    why = problem(kept["problem"]) if kept["problem"] else ""
    return Pinned(kept["name"], kept["version"], kept["wanted"], why)


def taken_over(row: Any) -> tuple[int, int] | None:
    """How many sentences come from the video that this one changes, and of how many; None for a new one."""
    if row.revises_id is None or row.job is None:
        return None
    told = row.job.report.get("reused")
    taken = selectors.sentences_taken_over(row.job) if told is None else told.get("sentences", 0)
    try:
        kind, language = Kind(row.kind), Language(row.language)
        return taken, len(read(row.script, language=language, kind=kind).segments)
    except (PresenterError, ValueError):
        return taken, taken


def title_of(row: Any) -> str:
    """The first line of what is said, cut to a line of a list."""
    text = shown_text(row).strip()
    first = text.partition("\n")[0]
    return first if len(first) <= EXCERPT else first[:EXCERPT] + "…"


def shown_text(row: Any) -> str:
    """The words of a kept script without their markup; the source itself where it cannot be read any more."""
    if row.kind != Kind.SSML:
        return str(row.script)
    try:
        return read(row.script, language=Language(row.language), kind=Kind.SSML).text
    except (PresenterError, ValueError):
        return str(row.script)


def names_of(tenant: str) -> dict[str, str]:
    """The tenant's people by id."""
    return {row.id: str(row.name) for row in consents.identities(tenant=tenant)}
