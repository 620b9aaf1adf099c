"""The same request twice is done once (draft-ietf-httpapi-idempotency-key-header).

A view with ``idempotent = True`` requires the header on POST. The row (tenant, key) is made before the view
runs: the same body later gets the stored answer, another body 422, and one that still runs 409. A request
whose process died stays "running" until the row expires: nobody knows whether it was done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from likeness.accounts.authentication import find_key
from likeness.api import refuse
from likeness.models import IdempotencyKey

KEPT = timedelta(hours=24)
KEY_MAX = 255
REFUSED = 422  # a refusal is an outcome too: the job exists and the decision is in the log
LOOK = "Look at the list of jobs before you send it with a new key."


class IdempotencyMiddleware:
    """Finds the key before the view, and stores the view's answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Run the request, then keep its answer under its key."""
        response = self.get_response(request)
        row: IdempotencyKey | None = getattr(request, "idempotency", None)
        if row is not None:
            _finish(row, response)
        return response

    def process_view(self, request: HttpRequest, view: Callable[..., Any], *_: Any) -> HttpResponse | None:
        """Answer at once when the key was seen before."""
        if request.method != "POST" or not getattr(getattr(view, "cls", None), "idempotent", False):
            return None
        tenant = _tenant(request)
        if tenant is None:
            return None  # the view answers 401
        key = request.headers.get("Idempotency-Key", "").strip()
        if not key or len(key) > KEY_MAX or not key.isprintable():
            message = f"The header Idempotency-Key must hold 1 to {KEY_MAX} printable characters."
            return refuse(
                400, "idempotency_key_missing", message, "Send a fresh random key with each new request."
            )
        try:
            digest = hashlib.sha256(request.body).hexdigest()
        except RequestDataTooBig:
            return refuse(413, "too_large", "The body is too large.", "Send files to /api/v1/media/ first.")
        return _begin(request, tenant=tenant, key=key, digest=digest)


def _begin(request: HttpRequest, *, tenant: str, key: str, digest: str) -> HttpResponse | None:
    route = f"{request.method} {request.path}"[:255]
    IdempotencyKey.objects.filter(tenant=tenant, key=key, created__lt=timezone.now() - KEPT).delete()
    try:
        with transaction.atomic():
            row = IdempotencyKey.objects.create(tenant=tenant, key=key, route=route, body_sha256=digest)
    except IntegrityError:
        return _again(
            IdempotencyKey.objects.filter(tenant=tenant, key=key).first(), route=route, digest=digest
        )
    request.idempotency = row  # type: ignore[attr-defined]  # read by __call__ above
    return None


def _again(row: IdempotencyKey | None, *, route: str, digest: str) -> HttpResponse:
    if row is not None and (row.route, row.body_sha256) != (route, digest):
        message = "This Idempotency-Key was used for another request."
        return refuse(422, "idempotency_mismatch", message, "Send a fresh random key with each new request.")
    if row is None or row.status is None:
        return refuse(409, "idempotency_running", "The first request with this key has not ended.", LOOK)
    response = HttpResponse(row.answer, status=row.status, content_type="application/json")
    response["Idempotent-Replayed"] = "true"
    if row.location:
        response["Location"] = row.location
    return response


def _finish(row: IdempotencyKey, response: HttpResponseBase) -> None:
    final = 200 <= response.status_code < 300 or response.status_code == REFUSED
    if not final or not isinstance(response, HttpResponse):
        row.delete()  # nothing was done: the key may be used again
        return
    row.status = response.status_code
    row.location = response.headers.get("Location", "")[:255]
    row.answer = response.content.decode()
    row.save(update_fields=["status", "location", "answer"])


def _tenant(request: HttpRequest) -> str | None:
    words = request.headers.get("Authorization", "").split(" ")
    if words[0].lower() == "bearer":
        key = find_key(words[1] if len(words) == 2 else "")
        return key.user.tenant if key else None
    return request.user.tenant if request.user.is_authenticated else None
