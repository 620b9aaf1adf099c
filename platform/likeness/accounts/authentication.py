"""Who calls the API: a session of the portal, or a program's key."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from likeness.accounts.models import ApiKey, User
from likeness.accounts.services import digest_of

_TOKEN = re.compile(r"lk_([0-9A-Za-z]{8})_([0-9A-Za-z]{43})")
USED_EVERY = timedelta(minutes=1)  # a write per request would cost more than it tells


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer lk_<id>_<secret>``."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Give the key's user, or nothing when the request carries no key."""
        words = request.headers.get("Authorization", "").split(" ")
        if words[0].lower() != "bearer":
            return None
        key = find_key(words[1] if len(words) == 2 else "")
        if key is None:
            raise AuthenticationFailed("The key is unknown, expired or revoked.")
        return key.user, key

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """Name the scheme; without it the answer would be 403 in place of 401."""
        return "Bearer"


def find_key(token: str) -> ApiKey | None:
    """Give the key that a token opens, if it may be used now."""
    match = _TOKEN.fullmatch(token)
    identifier, secret = match.groups() if match else ("", "")
    key = ApiKey.objects.select_related("user").filter(id=identifier).first() if match else None
    stored = key.digest if key else "0" * 64
    proven = secrets.compare_digest(digest_of(secret), stored)  # as long for an unknown key
    now = timezone.now()
    if key is None or not proven or key.revoked or key.expires <= now or not key.user.is_active:
        return None
    due = Q(last_used=None) | Q(last_used__lt=now - USED_EVERY)
    ApiKey.objects.filter(due, id=key.id).update(last_used=now)
    return key
