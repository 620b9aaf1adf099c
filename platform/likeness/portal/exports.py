"""Copies without the visible label: the form for those who ask, the list for those who decide."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from generation import exporting, selectors, statutory
from generation.statutory import ExportRequest
from likeness.portal import access, people
from likeness.portal.forms import ExportForm, blame
from likeness.portal.jobs import person_of
from likeness.portal.pages import DOMAIN_ERRORS, Change, Page

UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A request in the list: who, for whom, and what may be done about it."""

    export: Any
    person: str
    asked_by: str
    decided_by: str
    recipient: str
    purpose: str
    may_decide: bool
    may_erase: bool


class ExportListView(Page):
    """Every request of the tenant, newest first."""

    section: ClassVar[str] = "exports"
    roles = access.SEE_EXPORTS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        names = people.names(self.tenant)
        rows = [self._row(row, names) for row in statutory.seen(by=self.actor)[:PAGE_ROWS]]
        return self.show(request, "portal/exports/list.html", {"rows": rows, "on": exporting.is_on()})

    def _row(self, row: Any, names: dict[str, str]) -> ExportRow:
        said = statutory.told(row, by=self.actor)
        waits = row.state == "requested"
        over = row.keep_until is not None and row.keep_until <= timezone.now()
        return ExportRow(
            export=row,
            person=person_of(row.job.identity_id, tenant=self.tenant),
            asked_by=names.get(row.requested_by, row.requested_by),
            decided_by=names.get(row.decided_by, row.decided_by),
            recipient=said.get("recipient", ""),
            purpose=said.get("purpose", ""),
            may_decide=waits
            and row.requested_by != self.actor.id
            and access.allows(access.APPROVE_EXPORT, self.actor.roles),
            may_erase=bool(said)
            and (over or row.state == "rejected")
            and access.allows(access.EXPORT, self.actor.roles),
        )


PAGE_ROWS = 100
"""Such requests are rare; older ones are in the log and over REST."""


class JobExportView(Page):
    """Ask for a copy of one output."""

    section: ClassVar[str] = "jobs"
    roles = access.EXPORT

    def get(self, _request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
        """Show the form."""
        return self._show(job_id, ExportForm())

    def post(self, request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
        """Ask; another person decides."""
        selectors.job(job_id, tenant=self.tenant)
        form = ExportForm(request.POST)
        if form.is_valid():
            try:
                statutory.request(job_id, ExportRequest(**form.cleaned_data), by=self.actor)
            except DOMAIN_ERRORS as error:
                blame(form, error)
            else:
                messages.success(request, _("The request is recorded; business decides on it."))
                return redirect("export-list")
        return self._show(job_id, form, status=UNPROCESSABLE)

    def _show(self, job_id: uuid.UUID, form: ExportForm, *, status: int = 200) -> HttpResponse:
        job = selectors.job(job_id, tenant=self.tenant)
        context = {
            "job": job,
            "subject": person_of(job.identity_id, tenant=self.tenant),
            "form": form,
            "possible": statutory.may_be_asked_for(job),
        }
        return self.show(self.request, "portal/exports/ask.html", context, status=status)


class _Decision(Change):
    """A change of one request; back to the list."""

    def back(self, **_kwargs: Any) -> str:
        """To the list."""
        return reverse("export-list")


class ExportApproveView(_Decision):
    """Agree as the second person."""

    roles = access.APPROVE_EXPORT

    def change(self, **kwargs: Any) -> str:
        """Approve it."""
        statutory.approve(kwargs["export_id"], by=self.actor)
        return _("Approved. The copy goes through the gate now, like any other job.")


class ExportRejectView(_Decision):
    """Decline."""

    roles = access.APPROVE_EXPORT

    def change(self, **kwargs: Any) -> str:
        """Reject it."""
        statutory.reject(kwargs["export_id"], by=self.actor)
        return _("Declined; no copy is made.")


class ExportEraseView(_Decision):
    """Forget who got the copy."""

    roles = access.EXPORT

    def change(self, **kwargs: Any) -> str:
        """Erase recipient and purpose."""
        statutory.erase_recipient(kwargs["export_id"], by=self.actor)
        return _("Recipient and purpose are erased; the log's entries stay and name nobody.")
