"""Templates as the pages show them: what is in use, what was tried and measured, what fell back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from audit.events import Actor
from generation import selectors, templating
from generation.presenter.errors import TemplateInvalidError
from generation.presenter.sync import Bounds
from generation.presenter.templates import Template, read
from likeness.portal import access, people
from likeness.portal.presentations import PresentationRow, rows_of
from likeness.portal.wording.faults import reason_of
from likeness.portal.wording.reasons import Reason
from likeness.portal.wording.studio import Measured, sync_words
from likeness.portal.wording.templates import problem

FELL_BACK_ROWS = 12


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template in the list; ``shown`` is the version of its picture, 0 where none can be drawn."""

    row: Any
    active: int
    shown: int
    newest: Any
    problem: str


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version on its template's page; ``problem`` in words, empty while it passes its checks."""

    row: Any
    author: str
    approver: str
    in_use: bool
    problem: str
    drawable: bool
    variables: tuple[tuple[str, str], ...]
    fault: Reason | None
    measured: tuple[Measured, ...]
    may_approve: bool
    own: bool
    may_roll_back: bool


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A template on its page."""

    row: Any
    active: int
    trying: bool
    versions: tuple[VersionView, ...]
    fell_back: tuple[PresentationRow, ...]


def template_rows(*, tenant: str) -> tuple[TemplateRow, ...]:
    """The tenant's templates by name."""
    return tuple(_row(each) for each in templating.seen(tenant=tenant))


def template_view(name: str, *, by: Actor) -> TemplateView:
    """One template with all its versions, newest first.

    Raises:
        NotFoundError: none of that name in this tenant.
    """
    row = templating.find(name, tenant=by.tenant)
    names = people.names(by.tenant)
    versions = list(row.versions.select_related("template").order_by("-number"))
    return TemplateView(
        row=row,
        active=row.active.number if row.active is not None else 0,
        trying=any(each.state == "trying" for each in versions),
        versions=tuple(_version(each, row, names, by) for each in versions),
        fell_back=rows_of(fallen_back(by.tenant).filter(**_named(name))[:FELL_BACK_ROWS], tenant=by.tenant),
    )


def fallen_back(tenant: str) -> Any:
    """Presentations that got another version than the one in use, newest first."""
    rows = selectors.presentations(tenant=tenant).filter(scene__template__problem__isnull=False)
    return rows.exclude(scene__template__problem="")


def readable(version: Any) -> Template | None:
    """A version's document, or None where this platform does not understand it."""
    try:
        return read(version.document)
    except TemplateInvalidError:
        return None


def in_use(*, tenant: str) -> tuple[Any, ...]:
    """The versions that a video can be made with."""
    rows = templating.seen(tenant=tenant).exclude(active=None)
    return tuple(each.active for each in rows.select_related("active__template") if readable(each.active))


def _named(name: str) -> dict[str, str]:
    return {"scene__template__name": name}


def _row(row: Any) -> TemplateRow:
    versions: Sequence[Any] = sorted(row.versions.all(), key=lambda each: -each.number)
    chosen = row.active or (versions[0] if versions else None)
    code = templating.problem_of(chosen) if chosen is not None else ""
    return TemplateRow(
        row=row,
        active=row.active.number if row.active is not None else 0,
        shown=chosen.number if chosen is not None and not code else 0,
        newest=versions[0] if versions else None,
        problem=problem(code) if code and row.active is not None else "",
    )


def _version(each: Any, row: Any, names: dict[str, str], by: Actor) -> VersionView:
    code, template = templating.problem_of(each), readable(each)
    kinds: Iterable[tuple[str, Any]] = template.variables.items() if template else ()
    used = row.active_id == each.pk
    trial = each.trial or {}
    wrong = reason_of(trial["code"], sentence=trial.get("message", "")) if trial.get("code") else None
    approves = access.allows(access.APPROVE_TEMPLATES, by.roles)
    drafts = access.allows(access.DRAFT_TEMPLATES, by.roles)
    return VersionView(
        row=each,
        author=names.get(each.author, each.author),
        approver=names.get(each.approver, each.approver),
        in_use=used,
        problem=problem(code) if code else "",
        drawable=not code,
        variables=tuple((name, str(kind)) for name, kind in kinds),
        fault=wrong,
        measured=sync_words(trial.get("sync"), bounds=Bounds.smiling()),
        may_approve=approves and each.state == "ready" and each.author != by.id,
        own=approves and each.state == "ready" and each.author == by.id,
        may_roll_back=drafts and each.state == "approved" and not used and not code,
    )
