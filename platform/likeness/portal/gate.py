"""The blocklist: faces that nobody may wear and that stop every footage they are seen in."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from consent import selectors, services
from likeness.portal import access, people
from likeness.portal.forms import BlockForm, blame
from likeness.portal.pages import DOMAIN_ERRORS, Change, Page


class BlockListView(Page):
    """The list, and a form to put a face on it."""

    section: ClassVar[str] = "blocklist"
    roles = access.BLOCK

    def get(self, _request: HttpRequest) -> HttpResponse:
        """Show the list."""
        return self._show(BlockForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Block the face of a photo."""
        form = BlockForm(request.POST, request.FILES)
        if form.is_valid():
            picture, reason = form.cleaned_data["image"].read(), form.cleaned_data["reason"]
            try:
                services.block(image=picture, identity_id=None, reason=reason, by=self.actor)
            except DOMAIN_ERRORS as error:
                blame(form, error, field="image")
            else:
                messages.success(request, _("The face is blocked; running jobs see it too."))
                return redirect("block-list")
        return self._show(form, status=422)

    def _show(self, form: BlockForm, *, status: int = 200) -> HttpResponse:
        names = people.names(self.tenant)
        rows = [(row, names.get(row.added_by, row.added_by)) for row in selectors.blocks(tenant=self.tenant)]
        may_remove = access.allows(access.UNBLOCK, self.actor.roles)
        context = {"rows": rows, "form": form, "may_remove": may_remove}
        return self.show(self.request, "portal/gate/blocklist.html", context, status=status)


class BlockRemoveView(Change):
    """Take a face off the list."""

    roles = access.UNBLOCK

    def change(self, **kwargs: Any) -> str:
        """Unblock it."""
        services.unblock(kwargs["entry_id"], by=self.actor)
        return _("The face is no longer blocked.")

    def back(self, **_kwargs: Any) -> str:
        """To the list."""
        return reverse("block-list")
