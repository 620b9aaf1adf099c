"""How often one caller may ask: soft limits, counted per process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView  # reads the settings that name this module


class CallerThrottle(SimpleRateThrottle):
    """Reads, writes and uploads are counted apart, by user or by address."""

    scope = "read"

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count this request in its scope and say whether it may go on."""
        reading = request.method in SAFE_METHODS
        self.scope = "read" if reading else getattr(view, "throttle_scope", None) or "write"
        self.rate = self.get_rate()
        self.num_requests, self.duration = self.parse_rate(self.rate)
        return super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: APIView) -> str:  # noqa: ARG002
        """Name the counter: never by more than the user's number or the address."""
        user = request.user
        known = user is not None and not isinstance(user, AnonymousUser)
        ident = f"user-{user.pk}" if known else self.get_ident(request)
        return f"throttle_{self.scope}_{ident}"
