"""Many videos from one table: the form, and the page on which its rows are followed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from likeness.portal import access, batches
from likeness.portal.jobs import STOP_POLLING
from likeness.portal.pages import Page
from likeness.portal.presentations import OPEN
from likeness.portal.studio_forms import BatchForm
from likeness.portal.uploads import opened

KEPT = 5
"""Tables that a session remembers; their videos stay in the list."""
KEY = "studio-batches"


class BatchCreateView(Page):
    """Ask for a video of every row of a table."""

    section: ClassVar[str] = "studio"
    roles = access.SUBMIT_JOBS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        return self._form(request, BatchForm(tenant=self.tenant))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Read the table and ask row by row; the same page sent twice asks once."""
        form = BatchForm(request.POST, request.FILES, tenant=self.tenant)
        if not form.is_valid():
            return self._form(request, form, status=422)
        scene: dict[str, Any] = dict(form.cleaned_data)
        batch, upload = scene.pop("batch"), scene.pop("table")
        try:
            with opened(upload) as stream:
                rows = batches.read_table(stream.read(batches.BYTES + 1))
        except batches.TableFaultError as fault:
            form.add_error("table", str(fault))
            return self._form(request, form, status=422)
        notes = batches.submit(rows, scene=scene, batch=batch, by=self.actor)
        known = dict(request.session.get(KEY, {}))
        known.pop(batch, None)
        known[batch] = notes
        request.session[KEY] = dict(list(known.items())[-KEPT:])
        return redirect("presentation-batch-detail", batch=batch)

    def _form(self, request: HttpRequest, form: BatchForm, *, status: int = 200) -> HttpResponse:
        context = {"form": form, "columns": batches.COLUMNS, "most": batches.ROWS}
        return self.show(request, "portal/studio/batch_form.html", context, status=status)


class BatchDetailView(Page):
    """Where every row of a table is; for the person who sent it."""

    section: ClassVar[str] = "studio"
    roles = access.SUBMIT_JOBS

    def get(self, request: HttpRequest, batch: str) -> HttpResponse:
        """Show the rows; htmx asks for them alone."""
        notes = request.session.get(KEY, {}).get(batch)
        if notes is None:
            raise Http404
        rows = batches.rows_now(notes, tenant=self.tenant)
        moving = any(each.row is not None and each.row.state in OPEN for each in rows)
        context = {
            "rows": rows,
            "moving": moving,
            "ready": sum(each.row is not None and each.row.state == "succeeded" for each in rows),
            "refused": sum(each.row is None or each.row.state in ("rejected", "failed") for each in rows),
        }
        if request.headers.get("HX-Request"):
            status = 200 if moving else STOP_POLLING
            return self.show(request, "portal/studio/batch_rows.html", context, status=status)
        return self.show(request, "portal/studio/batch.html", context)
