"""Pages for what went wrong: the number, what it means, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from likeness.api import status_of
from likeness.portal.wording.faults import explain


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed request in words."""

    title: str
    sentence: str
    hint: str = ""
    code: str = ""


def bad_request(request: HttpRequest, _exception: Exception | None = None) -> HttpResponse:
    """400: the request was malformed."""
    fault = Fault(
        _("That request could not be read"),
        _("The browser sent something this page does not understand. Nothing was changed."),
        _("Go back, load the page again, and repeat what you did."),
    )
    return _page(request, fault, status=400)


def forbidden(request: HttpRequest, _exception: Exception | None = None) -> HttpResponse:
    """403: the person's role is not enough."""
    fault = Fault(
        _("Your role does not include this"),
        _("This page is for people with another role. Nothing was changed."),
        _("If you need it for your work, ask an operator for the role."),
    )
    return _page(request, fault, status=403)


def csrf_failed(
    request: HttpRequest,
    reason: str = "",  # noqa: ARG001  Django passes it by name
) -> HttpResponse:
    """403: the form was too old or came from elsewhere."""
    fault = Fault(
        _("This form has expired"),
        _("For your safety a form is only accepted from the page that you opened. Nothing was changed."),
        _("Load the page again and send the form once more. If that fails, sign in again."),
    )
    return _page(request, fault, status=403)


def not_found(request: HttpRequest, _exception: Exception | None = None) -> HttpResponse:
    """404: nothing there, or nothing of this tenant."""
    fault = Fault(
        _("There is nothing here"),
        _("The address is wrong, or what it named belongs to somebody else."),
        _("Check the address, or start again from the overview."),
    )
    return _page(request, fault, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """500: our fault."""
    fault = Fault(
        _("Something went wrong on our side"),
        _("The server met an error that it does not know. No change was left half done."),
        _("Try again in a minute. If it stays, tell the operator the time and what you did."),
    )
    return _page(request, fault, status=500)


def refusal(request: HttpRequest, error: Exception) -> HttpResponse:
    """A service's error as a page, with the status that the API gives it."""
    status = status_of(error)
    if status == 404:
        return not_found(request)
    words = explain(error)
    titles = {
        403: _("Your role does not include this"),
        409: _("That is not possible now"),
        410: _("The material was destroyed"),
        451: _("This output was withdrawn"),
        503: _("Not ready at the moment"),
    }
    title = titles.get(status, _("That was refused"))
    return _page(request, Fault(title, words.sentence, words.hint, words.code), status=status)


def _page(request: HttpRequest, fault: Fault, *, status: int) -> HttpResponse:
    context: dict[str, Any] = {"fault": fault, "status": status}
    response = render(request, "portal/fault.html", context, status=status)
    if status == 503:
        response["Retry-After"] = "10"
    return response
