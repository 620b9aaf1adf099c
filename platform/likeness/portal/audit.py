"""The log: its newest entries, one entry with its proof, and the signed checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from audit import selectors
from audit.errors import AuditError
from audit.events import SYSTEM
from consent import disclosures
from consent.disclosures import Disclosed
from likeness.portal import access, people
from likeness.portal.health import log_health
from likeness.portal.pages import Page
from likeness.portal.wording.events import DETAILS, Told, detail, tell

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as a line: what happened, who did it, and what it is about."""

    entry: Any
    told: Told
    person: str


def visible(entry: Any, tenant: str) -> bool:
    """Tell whether an entry is this tenant's, or the platform's own."""
    return entry.tenant in (tenant, SYSTEM)


def shown(entries: list[Any], tenant: str) -> list[Shown]:
    """Entries of one tenant, in words."""
    names = people.names(tenant)
    return [
        Shown(entry, tell(entry.event), names.get(entry.actor, entry.actor))
        for entry in entries
        if visible(entry, tenant)
    ]


class LogListView(Page):
    """The newest entries, and how the log is."""

    section: ClassVar[str] = "log"
    roles = access.SEE_LOG

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them, newest first."""
        before = request.GET.get("before", "")
        try:
            entries = selectors.latest(
                PAGE_SIZE, int(before) if before.isdigit() else None, tenant=self.tenant
            )
        except AuditError:
            entries = []
        context = {
            "rows": shown(list(entries), self.tenant),
            "next": entries[-1].index if len(entries) == PAGE_SIZE and entries[-1].index else None,
            "health": log_health(),
            "witnesses": selectors.witness_health(),
            "stamp": next(iter(selectors.stamps(1)), None),
        }
        return self.show(request, "portal/log/list.html", context)


class LogEntryView(Page):
    """One entry: what it says, its bytes, and the proof that it is in the signed tree."""

    section: ClassVar[str] = "log"
    roles = access.SEE_LOG

    def get(self, _request: HttpRequest, index: int) -> HttpResponse:
        """Show it."""
        return self._show(index)

    def _show(self, index: int, *, told: Disclosed | None = None) -> HttpResponse:
        entry = self._entry(index)
        try:
            proof = selectors.proof(index)
        except AuditError:
            proof = ""
        context = {
            "line": shown([entry], self.tenant)[0],
            "entry": entry,
            "proof": proof,
            "words": str(disclosures.standing(entry, tenant=self.tenant)),
            "may_disclose": access.allows(access.DISCLOSE, self.actor.roles),
            "told": told,
            "details": _details(told) if told else (),
        }
        return self.show(self.request, "portal/log/entry.html", context)

    def _entry(self, index: int) -> Any:
        entry = selectors.entry(index)
        if not visible(entry, self.tenant):
            raise Http404
        return entry


class LogDiscloseView(LogEntryView):
    """The entry with the words that it commits to, for those who may know them; that is logged."""

    http_method_names = ["post"]
    roles = access.DISCLOSE

    def post(self, _request: HttpRequest, index: int) -> HttpResponse:
        """Tell them on the page; they are in no address and no cache."""
        return self._show(index, told=disclosures.disclose(index, by=self.actor))


class LogProofView(LogEntryView):
    """The proof as a file that the offline verifier reads."""

    def get(self, _request: HttpRequest, index: int) -> HttpResponse:
        """Send it."""
        self._entry(index)
        return _text(selectors.proof(index), f"{index:09d}.tlog-proof")


class LogCheckpointView(Page):
    """The newest signed checkpoint as a file."""

    roles = access.SEE_LOG

    def get(self, _request: HttpRequest) -> HttpResponseBase:
        """Send it."""
        return _text(selectors.checkpoint().note, "checkpoint")


def _details(told: Disclosed) -> list[tuple[Any, Any]]:
    """Words for people, in their order."""
    words, order = json.loads(told.jcs), list(DETAILS)
    known = sorted(words, key=lambda name: order.index(name) if name in order else len(order))
    return [detail(name, words[name]) for name in known]


def _text(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
