"""Every address of the platform."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from audit.urls import public as public_log
from likeness import provenance_api, provenance_check_api


def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Say that this process answers; it asks nothing of the database."""
    return JsonResponse({"ok": True})


api: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("check/", provenance_check_api.CheckView.as_view(), name="api-check"),
    path("provenance/", provenance_api.ProvenanceView.as_view(), name="api-provenance"),
    path("provenance/search", provenance_api.SearchView.as_view(), name="api-provenance-search"),
    path("jobs/<uuid:job_id>/evidence", provenance_api.EvidenceView.as_view(), name="api-job-evidence"),
    path("", include("consent.urls")),
    path("", include("generation.urls")),
    path("", include("audit.urls")),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("api/v1/", include(api)),
    path("log/", include((public_log, "log"))),
    path("", include("likeness.portal.urls")),
]

handler400 = "likeness.faults.bad_request"
handler403 = "likeness.faults.forbidden"
handler404 = "likeness.faults.not_found"
handler500 = "likeness.faults.broken"
