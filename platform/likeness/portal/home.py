"""The overview: what waits, what runs, and whether the log is well."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse

from audit import selectors as log
from audit.errors import AuditError
from consent import selectors as consents
from generation import selectors as jobs
from likeness.portal import access, attention, licences, waiting
from likeness.portal.audit import shown
from likeness.portal.health import log_health
from likeness.portal.jobs import OPEN, STOP_POLLING, rows_of
from likeness.portal.pages import Page

RECENT = 6


class HomeView(Page):
    """The first page after signing in."""

    section: ClassVar[str] = "home"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it; htmx asks for the jobs alone."""
        recent = rows_of(jobs.jobs(tenant=self.tenant, limit=RECENT).results, tenant=self.tenant)
        moving = any(row.job.state in OPEN for row in recent)
        live = {"rows": recent, "moving": moving}
        if request.headers.get("HX-Request"):
            return self.show(request, "portal/home_jobs.html", live, status=200 if moving else STOP_POLLING)
        return self.show(request, "portal/home.html", {**live, **self._figures()})

    def _figures(self) -> dict[str, Any]:
        actor = self.actor
        mine = waiting.waiting_for(actor)
        return {
            "mine": licences.cards_of(mine[:RECENT], tenant=self.tenant),
            "reviewer": access.allows(access.REVIEWERS, actor.roles),
            "requester": access.allows(access.SUBMIT_JOBS, actor.roles),
            "open_jobs": jobs.open_jobs(tenant=self.tenant),
            "in_force": consents.consents(tenant=self.tenant, state="active").count(),
            "in_review": consents.review_queue(tenant=self.tenant).count(),
            "health": log_health(),
            "may_see_log": access.allows(access.SEE_LOG, actor.roles),
            "matters": attention.matters(by=actor),
            "activity": self._activity() if access.allows(access.SEE_LOG, actor.roles) else [],
        }

    def _activity(self) -> list[Any]:
        try:
            return shown(log.latest(RECENT, tenant=self.tenant), self.tenant)
        except AuditError:
            return []
