"""Erasing a person: find them, read what will happen, type their name once more, see what was done."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from audit import selectors as log
from audit.events import SubjectErased
from audit.leaf import KeyKind
from consent import erasure, selectors
from generation import selectors as jobs
from likeness.portal import access
from likeness.portal.forms import blame
from likeness.portal.pages import DOMAIN_ERRORS, Page
from likeness.portal.parts import part_of

UNPROCESSABLE = 422


class FindForm(forms.Form):
    """Whom to look for."""

    q = forms.CharField(
        label=_("Name, identity or pseudonym"), required=False, widget=forms.TextInput({"type": "search"})
    )


class ConfirmForm(forms.Form):
    """The name once more: a slip of the mouse erases nobody."""

    confirmation = forms.CharField(label=_("Type the name to confirm"), max_length=60)
    confirmation.widget.attrs["autocomplete"] = "off"

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._name = name

    def clean_confirmation(self) -> str:
        """Refuse everything but the very name."""
        typed = str(self.cleaned_data["confirmation"]).strip()
        if typed != self._name:
            raise forms.ValidationError(_("This is not the name above. Nothing was erased."))
        return typed


class ErasureListView(Page):
    """Find the person who asks to be erased."""

    section: ClassVar[str] = "erasure"
    roles = access.ERASE

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show those who fit; without a question, everybody."""
        asked = str(request.GET.get("q", ""))
        part = part_of(erasure.find(asked, by=self.actor), request)
        context = {"form": FindForm(initial={"q": asked}), "part": part, "asked": asked.strip()}
        return self.show(request, "portal/erasure/list.html", context)


class IdentityEraseView(Page):
    """Erase: first a page that says what goes and what stays, then the deed."""

    section: ClassVar[str] = "erasure"
    roles = access.ERASE

    def get(self, _request: HttpRequest, identity_id: str) -> HttpResponseBase:
        """Say what will happen."""
        person = selectors.identity(identity_id, tenant=self.tenant)
        if person.erased:
            return redirect("identity-erased", identity_id=person.id)
        return self._show(identity_id, ConfirmForm(name=person.name))

    def post(self, request: HttpRequest, identity_id: str) -> HttpResponseBase:
        """Erase; without the right name the page comes back."""
        person = selectors.identity(identity_id, tenant=self.tenant)
        form = ConfirmForm(request.POST, name=person.name)
        if person.erased is None and form.is_valid():
            try:
                erasure.erase_confirmed(
                    person.id, confirmation=form.cleaned_data["confirmation"], by=self.actor
                )
            except DOMAIN_ERRORS as error:
                blame(form, error, field="confirmation")
        if person.erased is None and form.errors:
            return self._show(identity_id, form, status=UNPROCESSABLE)
        return redirect("identity-erased", identity_id=person.id)

    def _show(self, identity_id: str, form: ConfirmForm, *, status: int = 200) -> HttpResponse:
        made = jobs.all_jobs(tenant=self.tenant).filter(identity_id=identity_id)
        context = {
            "prospect": erasure.prospect(identity_id, by=self.actor),
            "outputs": made.exclude(output_sha256="").count(),
            "form": form,
        }
        return self.show(self.request, "portal/erasure/erase.html", context, status=status)


class IdentityErasedView(Page):
    """What was erased, as the log holds it."""

    section: ClassVar[str] = "erasure"
    roles = access.ERASE

    def get(self, request: HttpRequest, identity_id: str) -> HttpResponseBase:
        """Show the counts of the entry, which stays although the person is gone."""
        person = selectors.identity(identity_id, tenant=self.tenant)
        if person.erased is None:
            return redirect("identity-erase", identity_id=person.id)
        entries = log.entries(KeyKind.IDENTITY, person.id)
        entry = next((entry for entry in entries if entry.type == SubjectErased.type), None)
        return self.show(request, "portal/erasure/erased.html", {"identity": person, "entry": entry})
