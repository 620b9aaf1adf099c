"""Webhooks: addresses that are told how jobs and videos end, their test, and what they answered."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generation import hooks
from generation.errors import CallbackRefusedError
from generation.webhook import URL_CHARS
from likeness.portal import access, people
from likeness.portal.forms import blame
from likeness.portal.jobs import STOP_POLLING
from likeness.portal.pages import DOMAIN_ERRORS, Change, Page
from likeness.portal.wording.hooks import event, problem, refusal

ROWS = 50


class HookForm(forms.Form):
    """An address to be told."""

    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=URL_CHARS,
        widget=forms.TextInput(
            attrs={"placeholder": "https://bank.example/likeness", "autocomplete": "off", "inputmode": "url"}
        ),
    )


@dataclass(frozen=True, slots=True)
class HookRow:
    """A webhook in the list; ``last`` is its newest message or None."""

    hook: Any
    creator: str
    last: DeliveryRow | None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A message in words; ``state`` is one of the chips."""

    row: Any
    state: str
    what: str
    problem: str
    hint: str


class HookListView(Page):
    """Every webhook, and a form for a new one."""

    section: ClassVar[str] = "hooks"
    roles = access.SEE_HOOKS

    def get(self, _request: HttpRequest) -> HttpResponse:
        """Show them."""
        return self._show(HookForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Add one and show its secret, once: the answer to this request is the only place where it stands."""
        form = HookForm(request.POST)
        if form.is_valid():
            try:
                added = hooks.add(form.cleaned_data["url"].strip(), by=self.actor)
            except CallbackRefusedError as error:
                form.add_error("url", refusal(str(error)))
            except DOMAIN_ERRORS as error:
                blame(form, error)
            else:
                return self.show(request, "portal/hooks/added.html", {"added": added})
        return self._show(form, status=422)

    def _show(self, form: HookForm, *, status: int = 200) -> HttpResponse:
        names = people.names(self.tenant)
        found = hooks.deliveries(by=self.actor)
        rows = [
            HookRow(each, names.get(each.creator, each.creator), _last(found.filter(hook=each)[:1]))
            for each in hooks.registered(by=self.actor)
        ]
        context = {
            "form": form,
            "rows": [row for row in rows if row.hook.active],
            "removed": [row for row in rows if not row.hook.active],
            "hosts": settings.LIKENESS_HOOK_HOSTS,
            "may_change": access.allows(access.CHANGE_HOOKS, self.actor.roles),
        }
        return self.show(self.request, "portal/hooks/list.html", context, status=status)


class HookDetailView(Page):
    """One webhook with its messages and their answers."""

    section: ClassVar[str] = "hooks"
    roles = access.SEE_HOOKS

    def get(self, request: HttpRequest, hook_id: uuid.UUID) -> HttpResponse:
        """Show it; htmx asks for the messages alone while one is on its way."""
        hook = hooks.find(hook_id, tenant=self.tenant)
        rows = [delivery_row(each) for each in hooks.deliveries(by=self.actor).filter(hook=hook)[:ROWS]]
        names = people.names(self.tenant)
        context = {
            "hook": hook,
            "rows": rows,
            "creator": names.get(hook.creator, hook.creator),
            "moving": any(each.state == "waiting" for each in rows),
            "may_change": hook.active and access.allows(access.CHANGE_HOOKS, self.actor.roles),
        }
        if request.headers.get("HX-Request"):
            status = 200 if context["moving"] else STOP_POLLING
            return self.show(request, "portal/hooks/deliveries.html", context, status=status)
        return self.show(request, "portal/hooks/detail.html", context)


class _HookChange(Change):
    """A change of one webhook; back to it."""

    roles = access.CHANGE_HOOKS

    def back(self, **kwargs: Any) -> str:
        """To the webhook."""
        return reverse("hook-detail", kwargs=kwargs)


class HookPingView(_HookChange):
    """Send a test message."""

    def change(self, **kwargs: Any) -> str:
        """Ping it."""
        hooks.ping(kwargs["hook_id"], by=self.actor)
        return _("A test message is on its way; its answer appears below.")


class HookRemoveView(_HookChange):
    """Call it no more."""

    def change(self, **kwargs: Any) -> str:
        """Remove it."""
        hooks.remove(kwargs["hook_id"], by=self.actor)
        return _("The webhook is removed; nothing is sent to it any more.")


def delivery_row(row: Any) -> DeliveryRow:
    """A message in words."""
    sentence, hint = problem(row.problem) if row.problem else ("", "")
    state = "taken" if row.state == "delivered" else str(row.state)
    return DeliveryRow(row, state, event(row.event), sentence, hint)


def _last(rows: Iterable[Any]) -> DeliveryRow | None:
    return next((delivery_row(each) for each in rows), None)
