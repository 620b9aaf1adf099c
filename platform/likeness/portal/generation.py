"""Jobs: the list, a new one, and one job with its progress, its output and its record."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from generation import delivery, labelling, selectors, services, statutory
from generation.errors import GenerationError, RefusedError
from generation.services import JobRequest
from likeness.portal import access
from likeness.portal.forms import ExportForm, JobForm, blame
from likeness.portal.jobs import OPEN, STOP_POLLING, rows_of, view_of
from likeness.portal.media import attachment, inline, picture
from likeness.portal.pages import DOMAIN_ERRORS, Change, Page
from likeness.portal.uploads import opened

PAGE_SIZE = 25


class JobListView(Page):
    """The tenant's jobs, newest first; the table follows them while any still moves."""

    section: ClassVar[str] = "jobs"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them; htmx asks for the rows alone."""
        page = selectors.jobs(
            tenant=self.tenant,
            state=request.GET.get("state") or None,
            limit=PAGE_SIZE,
            cursor=request.GET.get("cursor") or None,
        )
        rows = rows_of(page.results, tenant=self.tenant)
        moving = any(row.job.state in OPEN for row in rows)
        context = {"rows": rows, "next": page.next, "moving": moving, "chosen": request.GET.get("state", "")}
        if request.headers.get("HX-Request"):
            return self.show(
                request, "portal/jobs/rows.html", context, status=200 if moving else STOP_POLLING
            )
        may_submit = access.allows(access.SUBMIT_JOBS, self.actor.roles)
        return self.show(request, "portal/jobs/list.html", {**context, "may_submit": may_submit})


class JobCreateView(Page):
    """Ask for a generation: whose face, onto which footage, for what."""

    section: ClassVar[str] = "jobs"
    roles = access.SUBMIT_JOBS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        chosen = {"identity": request.GET.get("identity", "")}
        return self.show(
            request, "portal/jobs/create.html", {"form": JobForm(tenant=self.tenant, initial=chosen)}
        )

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Upload the footage and submit; a refusal is a job too and has its own page."""
        form = JobForm(request.POST, request.FILES, tenant=self.tenant)
        if form.is_valid():
            try:
                job = self._submit(form.cleaned_data)
            except RefusedError as refused:
                return redirect("job-detail", job_id=uuid.UUID(str(refused.job)))
            except DOMAIN_ERRORS as error:
                blame(form, error, field="target" if not isinstance(error, GenerationError) else None)
            else:
                return redirect("job-detail", job_id=job.id)
        return self.show(request, "portal/jobs/create.html", {"form": form}, status=422)

    def _submit(self, data: dict[str, Any]) -> Any:
        with opened(data["target"]) as stream:
            media = services.upload(stream, name=data["target"].name, by=self.actor)
        wanted = JobRequest(
            identity_id=data["identity"],
            media_id=str(media.id),
            purpose=data["purpose"],
            channel=data["channel"],
            territory=data["territory"],
            language=data["language"],
        )
        return services.submit(wanted, by=self.actor)


class JobDetailView(Page):
    """One job: how far it is, what came out of it, and everything that was recorded."""

    section: ClassVar[str] = "jobs"

    def get(self, request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
        """Show it; htmx asks for the live part alone."""
        job = selectors.job(job_id, tenant=self.tenant)
        moving = job.state in OPEN
        context = {
            "view": view_of(job, tenant=self.tenant),
            "moving": moving,
            "may_cancel": moving and access.allows(access.CANCEL_JOBS, self.actor.roles),
            "may_download": access.allows(
                access.EXPORT if job.derived_from_id else access.DOWNLOAD, self.actor.roles
            ),
            "may_export": access.allows(access.EXPORT, self.actor.roles) and statutory.may_be_asked_for(job),
            "form": ExportForm(),
            "may_see_log": access.allows(access.SEE_LOG, self.actor.roles),
        }
        if request.headers.get("HX-Request"):
            return self.show(
                request, "portal/jobs/live.html", context, status=200 if moving else STOP_POLLING
            )
        return self.show(request, "portal/jobs/detail.html", context)


class JobLabelView(Page):
    """Where the visible label of a job stands, and how it looks."""

    def get(self, _request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
        """Draw it."""
        return picture(labelling.preview(selectors.job(job_id, tenant=self.tenant)), content_type="image/png")


class JobCancelView(Change):
    """Stop a job that still moves."""

    roles = access.CANCEL_JOBS

    def change(self, **kwargs: Any) -> str:
        """Cancel it."""
        services.cancel(kwargs["job_id"], by=self.actor)
        return _("The job is being cancelled; nothing of it will be delivered.")

    def back(self, **kwargs: Any) -> str:
        """To the job."""
        return reverse("job-detail", kwargs=kwargs)


class JobDownloadView(Page):
    """Hand the output out as a file; the log says who took it."""

    http_method_names = ["post"]
    roles = access.DOWNLOAD

    def post(self, _request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
        """Log the download and send the file."""
        job = selectors.job(job_id, tenant=self.tenant)
        path = services.download(job_id, by=self.actor)
        return attachment(path, content_type=job.output_mime, name=f"likeness-{job.id.hex[:8]}")


class JobOutputView(Page):
    """Play the output on its page, in ranges; only taking it away is logged."""

    def get(self, request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
        """Send the range that the player asked for."""
        job = selectors.job(job_id, tenant=self.tenant)
        wanted = request.headers.get("Range", "")
        return inline(delivery.player_path(job), content_type=job.output_mime, wanted=wanted)


class JobPosterView(Page):
    """A frame of the output."""

    def get(self, _request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
        """Send it."""
        path = delivery.poster_path(selectors.job(job_id, tenant=self.tenant))
        return inline(path, content_type="image/jpeg")


class JobBeforeView(Page):
    """The frame of the footage that the poster was made of."""

    def get(self, _request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
        """Send it."""
        path = delivery.before_path(selectors.job(job_id, tenant=self.tenant))
        return inline(path, content_type="image/jpeg")
