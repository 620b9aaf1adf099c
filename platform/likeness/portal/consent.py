"""Licences: the review queue, one licence laid out for reading, and the decisions on it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from consent import selectors, services
from likeness.portal import access, licences, waiting
from likeness.portal.forms import ReasonForm
from likeness.portal.media import picture
from likeness.portal.pages import Change, Page
from likeness.portal.parts import part_of
from likeness.portal.wording.terms import word

REVOCABLE = frozenset({"in_review", "active", "suspended"})
STATES = ("in_review", "active", "rejected", "revoked", "expired")
"""States that the list can be narrowed to."""


class ReviewListView(Page):
    """What waits for a decision: first what waits for this person."""

    section: ClassVar[str] = "reviews"
    roles = access.REVIEWERS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the queue."""
        queue = list(selectors.review_queue(tenant=self.tenant))
        mine = waiting.waiting_for(self.actor, queue)
        others = [row for row in queue if row not in mine]
        context = {
            "mine": licences.cards_of(mine, tenant=self.tenant),
            "others": licences.cards_of(others, tenant=self.tenant),
        }
        return self.show(request, "portal/consent/reviews.html", context)


class ConsentListView(Page):
    """Every licence of the tenant, or those in one state."""

    section: ClassVar[str] = "consents"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the list."""
        state = request.GET.get("state", "")
        found = selectors.consents(tenant=self.tenant, state=state if state in STATES else None)
        part = part_of(found, request)
        context = {"cards": licences.rows_of(part.rows), "states": STATES, "chosen": state, "part": part}
        return self.show(request, "portal/consent/list.html", context)


class ConsentDetailView(Page):
    """One licence, laid out for reading, with the decisions that this person may take."""

    section: ClassVar[str] = "consents"

    def get(self, _request: HttpRequest, consent_id: str) -> HttpResponse:
        """Show it."""
        return self._show(consent_id, ReasonForm())

    def _show(self, consent_id: str, form: ReasonForm, *, status: int = 200) -> HttpResponse:
        row = selectors.consent(consent_id, tenant=self.tenant)
        roles = self.actor.roles
        context = {
            "view": licences.view_of(row),
            "seats": waiting.open_seats(row, self.actor),
            "own": self.actor.id in (row.submitted_by, row.identity.enrolled_by),
            "reviewer": access.allows(access.REVIEWERS, roles),
            "may_revoke": row.state in REVOCABLE and access.allows(access.REVOKE, roles),
            "may_see_portraits": access.allows(access.SEE_PORTRAITS, roles),
            "may_see_log": access.allows(access.SEE_LOG, roles),
            "form": form,
        }
        return self.show(self.request, "portal/consent/detail.html", context, status=status)


class ConsentApproveView(Change):
    """Approve in one role that the person holds."""

    roles = access.REVIEWERS

    def change(self, **kwargs: Any) -> str:
        """Approve; the last missing approval puts the licence in force."""
        role = self.request.POST.get("role", "")
        selectors.consent(
            kwargs["consent_id"], tenant=self.tenant
        )  # what is not there is 404, whatever the role
        row = services.approve(kwargs["consent_id"], role=role, by=self.actor)
        if row.state == "active":
            return _("Approved. The licence is in force now.")
        return _("Approved for: %(role)s. Other approvals are still missing.") % {"role": word("role", role)}

    def back(self, **kwargs: Any) -> str:
        """To the licence."""
        return reverse("consent-detail", kwargs=kwargs)


class ConsentRejectView(ConsentDetailView):
    """Reject, with a reason that is kept."""

    http_method_names = ["post"]
    roles = access.REVIEWERS

    def post(self, request: HttpRequest, consent_id: str) -> HttpResponseBase:
        """Reject; without a reason the page comes back."""
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._show(consent_id, form, status=422)
        return _Reject.as_view(reason=form.cleaned_data["reason"])(request, consent_id=consent_id)


class _Decision(Change):
    """A decision with a reason that was checked before."""

    reason: str = ""

    def back(self, **kwargs: Any) -> str:
        """To the licence."""
        return reverse("consent-detail", kwargs=kwargs)


class _Reject(_Decision):
    roles = access.REVIEWERS

    def change(self, **kwargs: Any) -> str:
        services.reject(kwargs["consent_id"], reason=self.reason, by=self.actor)
        return _("Rejected. The requester can submit a new licence.")


class _Revoke(_Decision):
    roles = access.REVOKE

    def change(self, **kwargs: Any) -> str:
        services.revoke(kwargs["consent_id"], reason=self.reason, by=self.actor)
        return _("Revoked. Open jobs are stopped and outputs are withdrawn.")


class ConsentRevokeView(Page):
    """Revoke: first a page that says what will happen, then the deed."""

    section: ClassVar[str] = "consents"
    roles = access.REVOKE

    def get(self, _request: HttpRequest, consent_id: str) -> HttpResponseBase:
        """Say what will happen."""
        row = selectors.consent(consent_id, tenant=self.tenant)
        if row.state not in REVOCABLE:
            return redirect("consent-detail", consent_id=consent_id)
        return self._show(row, ReasonForm())

    def post(self, request: HttpRequest, consent_id: str) -> HttpResponseBase:
        """Revoke; without a reason the page comes back."""
        row = selectors.consent(consent_id, tenant=self.tenant)
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._show(row, form, status=422)
        return _Revoke.as_view(reason=form.cleaned_data["reason"])(request, consent_id=consent_id)

    def _show(self, row: Any, form: ReasonForm, *, status: int = 200) -> HttpResponse:
        card = licences.cards_of([row], tenant=self.tenant)[0]
        return self.show(
            self.request, "portal/consent/revoke.html", {"card": card, "form": form}, status=status
        )


class PortraitView(Page):
    """A portrait's preview, for those who enrol or review."""

    roles = access.SEE_PORTRAITS

    def get(self, _request: HttpRequest, portrait_id: str) -> HttpResponseBase:
        """Decrypt and send it."""
        return picture(selectors.portrait_preview(portrait_id, tenant=self.tenant), content_type="image/png")
