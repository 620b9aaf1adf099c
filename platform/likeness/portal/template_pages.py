"""Templates: the list, one with its versions, a new version, a second person's yes, a step back."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from generation import templating
from generation.errors import NotFoundError, TemplateUnusableError
from generation.presenter.errors import PresenterError, TemplateInvalidError
from likeness.portal import access, scene_templates, template_picture
from likeness.portal.forms import blame
from likeness.portal.jobs import STOP_POLLING
from likeness.portal.media import picture
from likeness.portal.pages import DOMAIN_ERRORS, Change, Page
from likeness.portal.template_forms import NoDocumentError, TemplateForm, VersionForm, initial_of

KINDS = ("text", "amount", "date", "image")


class TemplateListView(Page):
    """Every template with a picture of what is in use."""

    section: ClassVar[str] = "templates"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        context = {
            "rows": scene_templates.template_rows(tenant=self.tenant),
            "may_draft": access.allows(access.DRAFT_TEMPLATES, self.actor.roles),
        }
        return self.show(request, "portal/templates/list.html", context)


class TemplateDetailView(Page):
    """One template: its versions, their trials, and the videos that fell back."""

    section: ClassVar[str] = "templates"

    def get(self, request: HttpRequest, template: str) -> HttpResponse:
        """Show it; htmx asks for the versions alone while one is tried."""
        view = scene_templates.template_view(template, by=self.actor)
        context = {"view": view, "may_draft": access.allows(access.DRAFT_TEMPLATES, self.actor.roles)}
        if request.headers.get("HX-Request"):
            status = 200 if view.trying else STOP_POLLING
            return self.show(request, "portal/templates/versions.html", context, status=status)
        return self.show(request, "portal/templates/detail.html", context)


class TemplatePictureView(Page):
    """A version's picture with sample values and an outline for the person."""

    def get(self, _request: HttpRequest, template: str, number: int) -> HttpResponseBase:
        """A PNG at most 640 px long."""
        row = templating.find(template, tenant=self.tenant)
        version = row.versions.filter(number=number).first()
        if version is None:
            raise NotFoundError("There is no such version.")
        try:
            data = template_picture.picture(version.document, tenant=self.tenant)
        except (PresenterError, TemplateUnusableError):
            raise NotFoundError("This version cannot be drawn.") from None
        return picture(data, content_type="image/png")


class _DraftView(Page):
    """A form for a version, and what came of it."""

    section: ClassVar[str] = "templates"
    roles = access.DRAFT_TEMPLATES

    def write(self, request: HttpRequest, form: VersionForm, name: str) -> HttpResponseBase:
        """Draft the version that a valid form describes."""
        try:
            scene = form.scene(by=self.actor)
            if form.errors:  # a picture was refused
                return self.form(request, form, name, status=422)
            version = templating.draft(name or form.cleaned_data["name"], scene, by=self.actor)
        except NoDocumentError as fault:
            form.add_error("document", str(fault))
        except TemplateInvalidError as error:
            form.blame(error)
        except DOMAIN_ERRORS as error:
            blame(form, error)
        else:
            told = _("Version %(n)d is written. It is tried now; then a second person approves it.")
            messages.success(request, told % {"n": version.number})
            return redirect("template-detail", template=version.template.name)
        return self.form(request, form, name, status=422)

    def form(self, request: HttpRequest, form: VersionForm, name: str, *, status: int = 200) -> HttpResponse:
        """The page with the form."""
        context = {"form": form, "name": name, "kinds": KINDS}
        return self.show(request, "portal/templates/form.html", context, status=status)


class TemplateCreateView(_DraftView):
    """A new template."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show an empty form."""
        return self.form(request, TemplateForm(), "")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Write its first version."""
        form = TemplateForm(request.POST, request.FILES)
        return self.write(request, form, "") if form.is_valid() else self.form(request, form, "", status=422)


class TemplateDraftView(_DraftView):
    """A new version of a template."""

    def get(self, request: HttpRequest, template: str) -> HttpResponse:
        """Show the newest version's fields."""
        row = templating.find(template, tenant=self.tenant)
        newest = row.versions.order_by("-number").first()
        initial = initial_of(newest.document) if newest is not None else {}
        return self.form(request, VersionForm(initial=initial), template)

    def post(self, request: HttpRequest, template: str) -> HttpResponseBase:
        """Write it; the same document again is the same version."""
        templating.find(template, tenant=self.tenant)
        form = VersionForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.form(request, form, template, status=422)
        return self.write(request, form, template)


class _Decision(Change):
    """A change of one template; back to it."""

    def back(self, **kwargs: Any) -> str:
        """To the template."""
        return reverse("template-detail", kwargs={"template": kwargs["template"]})


class TemplateApproveView(_Decision):
    """Agree as the second person."""

    roles = access.APPROVE_TEMPLATES

    def change(self, **kwargs: Any) -> str:
        """Approve it."""
        templating.approve(kwargs["template"], kwargs["number"], by=self.actor)
        return _("Version %(n)d is in use from now on.") % {"n": kwargs["number"]}


class TemplateRollBackView(_Decision):
    """Put an approved version back."""

    roles = access.DRAFT_TEMPLATES

    def change(self, **kwargs: Any) -> str:
        """Roll back."""
        templating.roll_back(kwargs["template"], kwargs["number"], by=self.actor)
        return _("Version %(n)d is in use again; the log says so.") % {"n": kwargs["number"]}
