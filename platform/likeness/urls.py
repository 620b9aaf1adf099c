"""Every address of the platform."""

from __future__ import annotations

from importlib.util import find_spec

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView


def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Say that this process answers; it asks nothing of the database."""
    return JsonResponse({"ok": True})


def mounted(prefix: str, module: str) -> list[URLResolver]:
    """Mount a package's addresses."""
    return [path(prefix, include(module))] if find_spec(module) else []


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    *mounted("api/v1/", "consent.urls"),
    *mounted("api/v1/", "generation.urls"),
    *mounted("api/v1/", "audit.urls"),
    *mounted("", "likeness.portal.urls"),
]

handler400 = "likeness.faults.bad_request"
handler403 = "likeness.faults.forbidden"
handler404 = "likeness.faults.not_found"
handler500 = "likeness.faults.broken"
