"""The studio: write a script, see and hear how it would come out, ask for the video."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from generation import presenting, previewing, selectors
from generation.errors import ClientIdTakenError, NotFoundError, RefusedError
from generation.presenter.errors import PresenterError, TemplateInvalidError
from likeness.api import status_of
from likeness.portal import access, scripts
from likeness.portal.forms import blame
from likeness.portal.pages import DOMAIN_ERRORS, Page
from likeness.portal.presentations import OPEN, rows_of, title_of
from likeness.portal.studio_files import blame_values, take, take_files
from likeness.portal.studio_forms import StudioForm, request_of, scene_of, typed
from likeness.portal.wording.faults import explain

RECENT = 6
COLOURS = ("#3c6e96", "#1f4e5f", "#2d6a4f", "#8c2f39", "#5b5f97", "#b08968", "#e9ecef", "#22262b")
"""Backgrounds that are offered; any other may be chosen."""


class StudioView(Page):
    """Where requesters write."""

    section: ClassVar[str] = "studio"
    roles = access.SUBMIT_JOBS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show an empty script in the scene of the last one, or a script that is used again."""
        again = self._again(request.GET.get("from", ""))
        initial = again or self._last()
        if again and request.GET.get("change"):
            initial["revises"] = request.GET["from"]
        return self.compose(request, StudioForm(tenant=self.tenant, initial=initial))

    def compose(self, request: HttpRequest, form: StudioForm, *, status: int = 200) -> HttpResponse:
        """The page with a form."""
        rows = rows_of(selectors.presentations(tenant=self.tenant)[:RECENT], tenant=self.tenant)
        context = {
            "form": form,
            "rows": rows,
            "moving": any(row.state in OPEN for row in rows),
            "colours": COLOURS,
            "revised": self._revised(form),
            "may_record": bool(form.fields["voice_identity"].choices[1:]),  # type: ignore[attr-defined]  # a choice field
            "nobody": [name for name in ("identity", "performer") if not _offered(form, name)],
        }
        return self.show(request, "portal/studio/compose.html", context, status=status)

    def _again(self, client_id: str) -> dict[str, Any]:
        if not client_id:
            return {}
        row = selectors.presentation(client_id, tenant=self.tenant)
        return {**scene_of(row), "script": row.script, "kind": row.kind, "voice": row.voice}

    def _last(self) -> dict[str, Any]:
        mine = selectors.presentations(tenant=self.tenant).filter(requester=self.actor.id).first()
        return scene_of(mine) if mine is not None else {}

    def _revised(self, form: StudioForm) -> str:
        """The title of the video that is being changed, empty for a new one."""
        client_id = form["revises"].value()
        return title_of(selectors.presentation(client_id, tenant=self.tenant)) if client_id else ""


class PresentationCreateView(StudioView):
    """Ask for the video; a refusal is a presentation too and has its own page."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Submit once, however often the button is pressed."""
        form = StudioForm(request.POST, request.FILES, tenant=self.tenant)
        if not form.is_valid() or not take_files(form, by=self.actor):
            return self.compose(request, form, status=422)
        client_id = form.cleaned_data["client_id"]
        try:
            presenting.present(form.request(), client_id=client_id, by=self.actor)
        except RefusedError:
            pass
        except ClientIdTakenError as error:
            renewed = request.POST.copy()
            renewed["client_id"] = presenting.new_client_id()
            form = StudioForm(renewed, tenant=self.tenant)
            form.is_valid()
            form.add_error(
                None, _("This page has sent another script already. Press again to make a second video.")
            )
            return self.compose(request, form, status=status_of(error))
        except TemplateInvalidError as error:
            blame_values(form, error)
            return self.compose(request, form, status=422)
        except PresenterError as error:  # its own words name characters; these are in the reader's language
            words = explain(error)
            form.add_error("script", f"{words.sentence} {words.hint}")
            return self.compose(request, form, status=422)
        except DOMAIN_ERRORS as error:
            blame(form, error)
            return self.compose(request, form, status=422)
        return redirect("presentation-detail", client_id=client_id)


class StudioReviewView(Page):
    """How the script would be said and what stands against it, while it is typed."""

    http_method_names = ["post"]
    roles = access.SUBMIT_JOBS

    def post(self, request: HttpRequest) -> HttpResponse:
        """The panel beside the script."""
        view = scripts.view_of(request_of(typed(request.POST)), tenant=self.tenant)
        return self.show(request, "portal/studio/reading.html", {"reading": view})


class StudioLookView(StudioView):
    """The part of the form that a template decides about, as soon as another one is chosen."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """What was typed stays."""
        form = StudioForm(tenant=self.tenant, initial=typed(request.POST))
        return self.show(request, "portal/studio/look.html", {"form": form, "colours": COLOURS})


class StudioUploadView(Page):
    """Take in a picture or a recording while the form is being filled."""

    http_method_names = ["post"]
    roles = access.SUBMIT_JOBS

    def post(self, request: HttpRequest) -> HttpResponse:
        """What a request names it by, or what stands against it."""
        upload, kind = request.FILES.get("file"), request.POST.get("kind", "")
        if upload is None or kind not in ("picture", "sound"):
            return _told(_("Choose a file first."), "", status=400)
        try:
            return JsonResponse({"value": take(upload, kind=kind, by=self.actor)})
        except DOMAIN_ERRORS as error:
            words = explain(error)
            return _told(words.sentence, words.hint, status=status_of(error))


class StudioPreviewView(Page):
    """A preview as it is; what stands against it as words."""

    http_method_names = ["post"]
    roles = access.SUBMIT_JOBS
    content_type: ClassVar[str]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Make it of what was typed so far."""
        asked = request_of(typed(request.POST))
        try:
            data = self.make()(asked, by=self.actor)
        except NotFoundError:
            return _told(_("Choose a teller and a performer first."), "", status=422)
        except DOMAIN_ERRORS as error:
            words = explain(error)
            return _told(words.sentence, words.hint, status=status_of(error))
        response = HttpResponse(data, content_type=self.content_type)
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def make(self) -> Callable[..., bytes]:
        """The service that makes it."""
        raise NotImplementedError


class StudioSeeView(StudioPreviewView):
    """One frame."""

    content_type = "image/png"

    def make(self) -> Callable[..., bytes]:
        """A picture at most 640 px wide, labelled."""
        return previewing.see


class StudioHearView(StudioPreviewView):
    """A few seconds."""

    content_type = "audio/wav"

    def make(self) -> Callable[..., bytes]:
        """The first sentences."""
        return previewing.hear


def _told(sentence: str, hint: str, *, status: int) -> HttpResponse:
    return JsonResponse({"sentence": sentence, "hint": hint}, status=status)


def _offered(form: StudioForm, name: str) -> bool:
    return any(value for value, _word in form.fields[name].choices)  # type: ignore[attr-defined]  # a choice field
