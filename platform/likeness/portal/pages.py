"""What every page shares: signed-in people, their roles, and errors told in words."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.views import View

from audit.errors import AuditError
from audit.events import Actor
from consent.errors import ConsentError
from generation.engine.errors import EngineError
from generation.errors import GenerationError
from generation.presenter.errors import PresenterError
from likeness.accounts.roles import Role
from likeness.api import status_of
from likeness.errors import LikenessError
from likeness.portal import access, failures
from likeness.portal.wording.faults import explain
from watermark.errors import WatermarkError

DOMAIN_ERRORS = (
    AuditError,
    ConsentError,
    EngineError,
    GenerationError,
    LikenessError,
    PresenterError,
    WatermarkError,
)
"""The error roots of the packages: each has a stable code and a hint."""
HTTP_NOT_FOUND = 404


class Page(View):
    """A page for signed-in people with one of ``roles``; a service's error becomes a page in words."""

    roles: ClassVar[frozenset[Role]] = access.EVERYONE
    section: ClassVar[str] = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check the person, run the page, put errors into words."""
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        if not access.allows(self.roles, request.user.roles):
            raise PermissionDenied
        try:
            response = super().dispatch(request, *args, **kwargs)
        except DOMAIN_ERRORS as error:
            response = failures.refusal(request, error)
        # A shared workstation's "back" must not show portraits after somebody signed out.
        patch_cache_control(response, private=True, no_store=True)
        return response

    @property
    def actor(self) -> Actor:
        """The signed-in person as the log knows them."""
        actor: Actor = self.request.user.actor  # type: ignore[union-attr]  # dispatch let only people through
        return actor

    @property
    def tenant(self) -> str:
        """The tenant to which everything on this page belongs."""
        return self.actor.tenant

    def show(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
    ) -> HttpResponse:
        """Render a template of the portal inside its section."""
        return render(request, template, {"section": self.section, **context}, status=status)


class Change(Page):
    """A change by POST: one service call, a message, and back to where it belongs."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Call the service; what it refuses is told on the page the person came from."""
        try:
            told = self.change(**kwargs)
        except DOMAIN_ERRORS as error:
            if status_of(error) == HTTP_NOT_FOUND:
                raise
            fault = explain(error)
            messages.error(request, fault.sentence, extra_tags=fault.hint)
        else:
            messages.success(request, told)
        return redirect(self.back(**kwargs))

    def change(self, **kwargs: Any) -> str:
        """Do it; returns what to tell the person."""
        raise NotImplementedError

    def back(self, **kwargs: Any) -> str:
        """Where the person goes next."""
        raise NotImplementedError


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """Send the whole page to sign in, also when only a part of it was asked for."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Refresh": "true"})
    return redirect_to_login(request.get_full_path())
