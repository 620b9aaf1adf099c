"""Presentations: the list, one with its progress, its player, its files and its sync report."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from generation import blobs, presenting, selectors
from generation.errors import NotFoundError
from likeness.portal import access
from likeness.portal.jobs import STOP_POLLING
from likeness.portal.pages import Change, Page
from likeness.portal.presentations import OPEN, rows_of, view_of

PAGE_SIZE = 24
FILES = {"srt": "application/x-subrip", "vtt": "text/vtt; charset=utf-8"}


class PresentationListView(Page):
    """The tenant's presentations, newest first, with pictures."""

    section: ClassVar[str] = "videos"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them; htmx asks for the cards alone."""
        number = (
            max(0, int(page)) if (page := request.GET.get("page", "0")).isascii() and page.isdigit() else 0
        )
        first = min(number, 10_000) * PAGE_SIZE
        found = list(selectors.presentations(tenant=self.tenant)[first : first + PAGE_SIZE + 1])
        rows = rows_of(found[:PAGE_SIZE], tenant=self.tenant)
        moving = any(row.state in OPEN for row in rows)
        context = {
            "rows": rows,
            "moving": moving,
            "next": number + 1 if len(found) > PAGE_SIZE else None,
            "may_submit": access.allows(access.SUBMIT_JOBS, self.actor.roles),
        }
        if request.headers.get("HX-Request"):
            status = 200 if moving else STOP_POLLING
            return self.show(request, "portal/studio/cards.html", context, status=status)
        return self.show(request, "portal/studio/list.html", context)


class PresentationDetailView(Page):
    """One presentation: how far it is, what stood against it, what came out of it."""

    section: ClassVar[str] = "videos"

    def get(self, request: HttpRequest, client_id: str) -> HttpResponse:
        """Show it; htmx asks for the live part alone."""
        view = view_of(selectors.presentation(client_id, tenant=self.tenant), tenant=self.tenant)
        roles = self.actor.roles
        context = {
            "view": view,
            "may_cancel": view.moving and access.allows(access.CANCEL_JOBS, roles),
            "may_download": access.allows(access.DOWNLOAD, roles),
            "may_submit": access.allows(access.SUBMIT_JOBS, roles),
            "may_prove": access.allows(access.SEARCH_LOG, roles),
        }
        if request.headers.get("HX-Request"):
            status = 200 if view.moving else STOP_POLLING
            return self.show(request, "portal/studio/live.html", context, status=status)
        return self.show(request, "portal/studio/detail.html", context)


class PresentationCancelView(Change):
    """Stop a presentation that still moves."""

    roles = access.CANCEL_JOBS

    def change(self, **kwargs: Any) -> str:
        """Cancel it."""
        presenting.cancel(kwargs["client_id"], by=self.actor)
        return _("The video is being cancelled; nothing of it will be delivered.")

    def back(self, **kwargs: Any) -> str:
        """To the presentation."""
        return reverse("presentation-detail", kwargs=kwargs)


class PresentationFileView(Page):
    """The subtitles as a file."""

    def get(self, _request: HttpRequest, client_id: str, kind: str) -> HttpResponseBase:
        """SubRip or WebVTT, with the times of the real sound."""
        row = selectors.presentation(client_id, tenant=self.tenant)
        digest = getattr(row, f"{kind}_sha256") if kind in FILES else ""
        if not digest:
            raise NotFoundError(f"Presentation {client_id} has no {kind}.")
        response = FileResponse(
            blobs.store().open(digest),
            content_type=FILES[kind],
            as_attachment=True,
            filename=f"{client_id}.{kind}",
        )
        response["X-Content-Type-Options"] = "nosniff"
        return response
