"""Errors outside of any view: JSON for programs, the portal's pages for people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from likeness.api import is_api, refuse
from likeness.portal import failures


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400."""
    if is_api(request):
        return refuse(
            400, "malformed", "The request could not be read.", "See the schema at /api/v1/schema/."
        )
    return failures.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403."""
    if is_api(request):
        return refuse(403, "permission_denied", "Not allowed.", "Ask an operator for the role.")
    return failures.forbidden(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, with the same body as a missing row."""
    if is_api(request):
        return refuse(404, "not_found", "Not found.", "Check the id.")
    return failures.not_found(request, exception)


def broken(request: HttpRequest) -> HttpResponse:
    """500."""
    if is_api(request):
        hint = "Try again; then tell the operator."
        return refuse(500, "internal", "Something failed on the server.", hint)
    return failures.broken(request)
