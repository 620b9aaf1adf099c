"""Timestamps on the log's heads: which authority said when, and whether its word holds."""

from __future__ import annotations

import io
import zipfile
from typing import ClassVar

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

from audit import selectors, stamping
from likeness.portal import access
from likeness.portal.pages import Page

PAGE_SIZE = 25


class TimestampListView(Page):
    """Every stamped head, newest first."""

    section: ClassVar[str] = "log"
    roles = access.SEE_LOG

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them; each token is checked anew."""
        before = request.GET.get("before", "")
        found = selectors.stamps(PAGE_SIZE, int(before) if before.isdigit() else None)
        context = {
            "rows": [(stamp, stamping.state(stamp.token, stamp.note, stamp.authority)) for stamp in found],
            "next": found[-1].size if len({stamp.size for stamp in found}) == PAGE_SIZE else None,
            "authority": settings.LIKENESS_TSA_URL,
        }
        return self.show(request, "portal/log/timestamps.html", context)


class TimestampView(Page):
    """The tokens on one head and the head itself, as a file that `openssl ts` reads."""

    roles = access.SEE_LOG

    def get(self, _request: HttpRequest, size: int) -> HttpResponse:
        """Send them."""
        found = selectors.timestamps(size)
        if not found:
            raise Http404
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{size}.checkpoint", found[0].note)
            for number, stamp in enumerate(found, start=1):
                archive.writestr(f"{size}.tsr" if number == 1 else f"{size}-{number}.tsr", stamp.token)
        response = HttpResponse(data.getvalue(), content_type="application/zip")
        response["Content-Disposition"] = f'attachment; filename="timestamp-{size}.zip"'
        response["X-Content-Type-Options"] = "nosniff"
        return response
