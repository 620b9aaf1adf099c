"""The public page: was this file made here? No account, no names, no numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from likeness import provenance_check as checks
from likeness import provenance_limits as limits
from likeness.api import status_of
from likeness.errors import TooManyChecksError
from likeness.portal.forms import LookupForm, blame
from likeness.portal.pages import DOMAIN_ERRORS
from likeness.portal.uploads import on_disk
from likeness.portal.wording.faults import explain


@dataclass(frozen=True, slots=True)
class Answer:
    """How an answer is headed: tone, icon, title and what it means."""

    tone: str
    icon: str
    title: Any
    sentence: Any


ANSWERS = {
    "ours": Answer(
        "good",
        "shield",
        _("This file was made here with AI"),
        _("It is as it was delivered, or carries our signature unbroken."),
    ),
    "ours-altered": Answer(
        "good",
        "shield",
        _("This file was made here with AI, and altered since"),
        _("Its hidden mark is ours. What was changed after delivery we cannot say: cut, shrunk or edited."),
    ),
    "conflict": Answer(
        "warn",
        "alert",
        _("This file carries a mark of ours that does not fit it"),
        _("A mark may have been copied onto another picture. Do not rely on what it seems to say."),
    ),
    "absent": Answer(
        "",
        "search",
        _("No mark of ours could be read"),
        _(
            "This does not mean that the file was made without AI: it may come from elsewhere, "
            "or its marks may be lost."
        ),
    ),
    "undecided": Answer(
        "",
        "search",
        _("No answer for this file"),
        _(
            "It is too small, too long or too damaged to be searched here. "
            "That says nothing about its origin."
        ),
    ),
}
LABELS = {
    "visible": _("A visible label"),
    "invisible": _("An invisible watermark"),
    "aigc": _("A label in the metadata (AIGC)"),
    "c2pa": _("A signed content credential (C2PA)"),
}


# Nobody is signed in here, so no other site can act for anybody; and to look for a token, Django would read
# the whole upload before its size is refused.
@method_decorator(csrf_exempt, name="dispatch")
class CheckView(View):
    """Drop a file, learn whether it was made here."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """An operator may close the page."""
        if not settings.LIKENESS_PUBLIC_CHECK:
            raise Http404
        response = super().dispatch(request, *args, **kwargs)
        patch_cache_control(response, private=True, no_store=True)
        return response

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the empty form."""
        return _page(request, form=LookupForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Check the file; it is read and not kept."""
        try:
            limits.refuse_large(request)
            limits.admit(limits.address_of(request), now=timezone.now())
            form = LookupForm(request.POST, request.FILES)
            if not form.is_valid():
                return _page(request, form=form, status=422)
            return _checked(request, form)
        except DOMAIN_ERRORS as error:
            return _refused(request, error)


def _checked(request: HttpRequest, form: LookupForm) -> HttpResponse:
    upload = form.cleaned_data["file"]
    try:
        with on_disk(upload) as path:
            found = checks.check(path)
    except TooManyChecksError:
        raise
    except DOMAIN_ERRORS as error:
        blame(form, error, field="file")
        return _page(request, form=form, status=422)
    labels = [(code, LABELS[code]) for code in found.labels]
    answer = ANSWERS[found.verdict.value]
    return _page(request, form=LookupForm(), answer=answer, found=found, labels=labels, name=upload.name)


def _refused(request: HttpRequest, error: Exception) -> HttpResponse:
    response = _page(request, form=LookupForm(), fault=explain(error), status=status_of(error))
    if isinstance(error, TooManyChecksError):
        response["Retry-After"] = str(int(error.wait) + 1)
    return response


def _page(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    context |= {"organisation": settings.LIKENESS_ORGANISATION}
    context |= {"max_mb": limits.MAX_BYTES >> 20, "max_bytes": limits.MAX_BYTES}
    return render(request, "portal/check.html", context, status=status)
