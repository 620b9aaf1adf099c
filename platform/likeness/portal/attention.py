"""What an operator should look at, in words, with the place where it is mended; what was mended is left out.

- A template that fell back, while the version in use still fails its checks.
- A newest version whose trial failed, until a newer one is written.
- A webhook whose message was given up, until a later one is taken or the webhook is removed.
- A video that was held back because mouth and sound do not agree, until it is made again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.events import Actor
from generation import hooks, selectors, templating
from generation.attention import Attention, Kind, attention
from generation.errors import NotFoundError
from likeness.portal.presentations import title_of
from likeness.portal.wording.faults import reason_of
from likeness.portal.wording.hooks import problem as hook_problem
from likeness.portal.wording.templates import problem as template_problem

ROWS = 12


@dataclass(frozen=True, slots=True)
class Matter:
    """Something to look at: what happened, what to do next, and where."""

    icon: str
    title: str
    sentence: str
    hint: str
    link: str
    since: datetime


def matters(*, by: Actor) -> tuple[Matter, ...]:
    """What happened in the tenant lately and still stands, newest first; for operators alone."""
    if not by.has("operator"):
        return ()
    found = (_TELLING[each.kind](each, by) for each in attention(by.tenant) if each.kind in _TELLING)
    return tuple(each for each in found if each is not None)[:ROWS]


def _fell_back(each: Attention, by: Actor) -> Matter | None:
    row = templating.find(each.subject, tenant=by.tenant)
    if row.active is None or not templating.problem_of(row.active):
        return None
    sentence = ngettext(
        "%(n)d video was made with an earlier version: %(why)s.",
        "%(n)d videos were made with an earlier version: %(why)s.",
        each.count,
    )
    return Matter(
        "look",
        _("The template “%(name)s” fell back") % {"name": row.name},
        sentence % {"n": each.count, "why": template_problem(each.code)},
        _("Put the last good version back, or write a new one."),
        reverse("template-detail", args=[row.name]),
        each.last,
    )


def _trial(each: Attention, by: Actor) -> Matter:
    version = templating.find(each.subject, tenant=by.tenant).versions.filter(number=each.link_id).first()
    message = version.trial.get("message", "") if version is not None else ""
    name = {"n": each.link_id, "name": each.subject}
    return Matter(
        "look",
        _("The trial of version %(n)s of “%(name)s” failed") % name,
        reason_of(each.code, sentence=message).sentence,
        _("Look at what was measured, then write a new version."),
        f"{reverse('template-detail', args=[each.subject])}#version-{each.link_id}",
        each.last,
    )


def _given_up(each: Attention, by: Actor) -> Matter | None:
    hook = hooks.find(each.subject, tenant=by.tenant)
    later = hooks.deliveries(by=by, state="delivered").filter(hook=hook, finished__gt=each.last)
    if later.exists():
        return None
    sentence, hint = hook_problem(each.code)
    title = ngettext(
        "%(n)d message to a webhook was given up", "%(n)d messages to a webhook were given up", each.count
    )
    return Matter(
        "hook",
        title % {"n": each.count},
        f"{hook.url} – {sentence}",
        f"{hint} {_('Then send a test message.')}".strip(),
        reverse("hook-detail", args=[hook.pk]),
        each.last,
    )


def _held_back(each: Attention, by: Actor) -> Matter | None:
    try:
        row = selectors.presentation(each.subject, tenant=by.tenant)
    except NotFoundError:  # erased meanwhile
        return None
    if _made_again(row):
        return None
    message = row.job.message if row.job is not None else row.message
    words = reason_of(each.code, sentence=message)
    return Matter(
        "film",
        _("A video was held back: “%(title)s”") % {"title": title_of(row)},
        words.sentence,
        words.hint,
        reverse("presentation-detail", args=[row.client_id]),
        each.last,
    )


def _made_again(row: Any) -> bool:
    rows = selectors.presentations(tenant=row.tenant).filter(created__gt=row.created, job__state="done")
    return bool(rows.filter(identity_id=row.identity_id, script=row.script).exists())


_TELLING: dict[Kind, Callable[[Attention, Actor], Matter | None]] = {
    Kind.FELL_BACK: _fell_back,
    Kind.TRIAL_FAILED: _trial,
    Kind.GIVEN_UP: _given_up,
    Kind.SYNC: _held_back,
}
