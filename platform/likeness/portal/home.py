"""The overview: what waits, what runs, and whether the log is well."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpRequest, HttpResponse

from likeness.portal.pages import Page


class HomeView(Page):
    """The first page after signing in."""

    section: ClassVar[str] = "home"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it."""
        return self.show("portal/home.html", {})
